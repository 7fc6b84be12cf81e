/// What a session does for its request. Every function has a default for requests that do not know it.
class Work {
    /// The session owns its work, and lets go of it when it ends: the circle of references is open then.
    let session: Session

    init(_ session: Session) { self.session = session }

    /// Bytes of stream 0, within the credit. The memory is valid during the call.
    func take(_ bytes: UnsafeRawBufferPointer) throws(AgentFailure) { throw AgentFailure.wrongState }

    /// The end of stream 0.
    func takeEnd() throws(AgentFailure) { throw AgentFailure.wrongState }

    func takeSignal(_ number: UInt32) throws(AgentFailure) { throw AgentFailure.wrongState }

    func takeWindow(rows: UInt16, columns: UInt16) throws(AgentFailure) { throw AgentFailure.wrongState }

    /// An event of one of the work's descriptors.
    func handle(_ role: EventKey.Role, _ events: UInt32) {}

    /// Puts messages into the session's outbox; false if there are none now.
    func produce() -> Bool { false }

    /// Chooses the events that the work waits for; output can be sent only if `canProduce`.
    func chooseEvents(canProduce: Bool) {}

    /// A process has ended; true if it is this work's.
    func processEnded(_ process: Int32, _ end: CommandEnd) -> Bool { false }

    /// Hands over a connection that waits for its client; nil if none does by this number.
    func takeConnection(_ name: UInt32) -> Descriptor? { nil }

    /// The session's deadline has passed.
    func runDeadline() {}

    /// The connection is lost, or the session ends with an error: lets go of everything.
    func abandon() {}

    /// Whether the connection carries raw bytes, which `handle` reads and writes.
    var isRaw: Bool { false }
}

extension AgentFailure {
    static var wrongState: AgentFailure {
        AgentFailure(.faultyMessage, text: [UInt8]("the message does not belong to the state of the session"))
    }

    static var outOfMemory: AgentFailure {
        AgentFailure(.inside, errno: 12, text: [UInt8]("the agent's memory is exhausted; end other sessions"))
    }

    /// `'SUBJECT': the kernel's reason`.
    init(_ code: Code, _ subject: [UInt8], _ error: Errno) {
        self.init(code, errno: UInt32(error.number), text: .quoted(subject, error.text))
    }
}
