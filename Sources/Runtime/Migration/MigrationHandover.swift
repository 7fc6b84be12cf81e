internal import Aerie
internal import ControlAPI
internal import HostSystem

/// The last step of a migration: the machine stands still here, and the receiver was told that the machine is its own.
struct MigrationHandover {
    struct Result {
        /// The machine's name at the receiver.
        let name: String
        /// When the receiver said that the machine runs, by the monotonic clock.
        let heardAt: UInt64
        /// Bytes that were sent since.
        var pagesCount: UInt64 = 0
    }

    private let machine: Machine
    private let client: ControlClient
    private let stream: TransferStream
    private let input: Int32
    private let output: Int32
    private let options: TransferOptions
    /// Nil where the receiver cannot be asked.
    private let questions: MigrationQuestions?

    init(
        _ machine: Machine, _ client: ControlClient, _ stream: TransferStream, input: Int32, output: Int32,
        _ options: TransferOptions, _ questions: MigrationQuestions?
    ) {
        self.machine = machine
        self.client = client
        self.stream = stream
        self.input = input
        self.output = output
        self.options = options
        self.questions = questions
    }

    private var name: String { machine.record.name }
    private var asked: String { "migrating machine '\(name)'" }

    /// Waits for the word of a receiver that has everything.
    ///
    /// - Throws: the receiver's refusal, after which the machine goes on here; or why nobody knows, after which it stands still.
    func whole() throws -> Result {
        do {
            let outcome = try JSONValue(parsing: try stream.expect(.outcome)).decode(MigrationOutcome.self)
            let heardAt = HostClock.monotonic()
            try? stream.send(.heard)
            return Result(name: outcome.name ?? "", heardAt: heardAt)
        } catch let error as AerieError {
            try? stream.send(.heard)
            throw goOn(error)
        } catch { return try ask("\(error)", heardAt: nil) }
    }

    /// Lets the machine send what a receiver lacks whose guest goes on at once.
    ///
    /// - Throws: as `whole`; and what was lost when the guest has run there, after which the machine stands still.
    func withPages() throws -> Result {
        let answer: JSONValue
        do throws(AerieError) {
            answer = try client.call(.sendPages, options.parameters, files: [input, output])
        } catch {
            // The machine's process has ended. Its last page may have come all the same.
            if case .there(let there)? = questions?.ask() { return Result(name: there, heardAt: HostClock.monotonic()) }
            throw gone(error)
        }
        let heardAt = answer["heardMicroseconds"]?.integer.flatMap { UInt64(exactly: $0) }
            .map { HostClock.monotonic() - min($0, HostClock.monotonic() / 1000) * 1000 }
        if let refusal = answer["outcome"]?["error"].flatMap({ AerieError(json: $0) }) { throw goOn(refusal) }
        let count = answer["sentBytes"]?.integer.flatMap { UInt64(exactly: $0) } ?? 0
        let found = answer["failure"]?.string ?? "the other side ended the connection"
        var result: Result
        if answer["isComplete"] == .boolean(true), let there = answer["outcome"]?["name"]?.string {
            result = Result(name: there, heardAt: heardAt ?? HostClock.monotonic())
        } else {
            result = try ask(found, heardAt: heardAt)
        }
        result.pagesCount = count
        return result
    }

    /// - Parameters:
    ///   - found: why the connection has ended.
    ///   - heardAt: when the receiver said that the machine runs there; nil when it has not.
    private func ask(_ found: String, heardAt: UInt64?) throws -> Result {
        switch questions?.ask() {
        case .there(let there)?:
            return Result(name: there.isEmpty ? name : there, heardAt: heardAt ?? HostClock.monotonic())
        case .notThere?:
            throw goOn(
                AerieError(
                    .inputOutput, asked: asked,
                    found: "\(found) while the machine was handed over; it has not run there",
                    advice: "the machine goes on here; try again"))
        case .lost?: throw lost(found)
        case nil where heardAt != nil: throw lost(found)
        case nil: throw unknown(found)
        }
    }

    /// The receiver has the machine no more, and never ran it.
    private func goOn(_ error: AerieError) -> AerieError { machine.goingOn(client, after: error) }

    private func lost(_ found: String) -> AerieError {
        AerieError(
            .inputOutput, asked: asked,
            found:
                "\(found) when the guest ran there and a part of its memory was here; it has ended there, and stands still here as it was "
                + "when it was handed over",
            advice:
                "'aerie resume \(name)' takes it back to that moment, if it is removed there; 'aerie rm --force \(name)' gives it up here, "
                + "and 'aerie start' boots it from its disk there")
    }

    private func gone(_ error: AerieError) -> AerieError {
        AerieError(
            .inputOutput, asked: asked,
            found: "\(error.found) when the guest had to go on there and a part of its memory was here",
            advice:
                "it is lost; 'aerie start' boots it from its disk, here or there, and the other one is to be removed")
    }

    private func unknown(_ found: String) -> AerieError {
        AerieError(
            .inputOutput, asked: asked, found: "\(found) while the machine was handed over; it stands still here",
            advice:
                "if it does not run there, let it go on with 'aerie resume \(name)', otherwise 'aerie rm --force \(name)'"
        )
    }
}

extension Machine {
    /// Lets a machine go on that was held for its handover.
    ///
    /// - Parameter error: why it was not handed over.
    /// - Returns: the error, with the reason if the machine stands still.
    func goingOn(_ client: ControlClient, after error: AerieError) -> AerieError {
        do throws(AerieError) {
            try goOn(client)
            return error
        } catch let reason {
            // Of one that runs, or has ended, the first error says all.
            guard isPaused else { return error }
            // That a disk cannot be had may be over later.
            let isLater = reason.category == .unavailable
            let why = isLater ? reason.found : "\(reason.asked): \(reason.found)"
            return AerieError(
                error.category, asked: error.asked, found: "\(error.found); it stands still here: \(why)",
                advice: isLater
                    ? "if it does not run there, let it go on with 'aerie resume \(record.name)'" : reason.advice)
        }
    }

    /// Whether the machine's process says that it stands still. The connection of a request that has failed may have ended.
    private var isPaused: Bool {
        let answer = try? ControlClient(self).call(.status)
        return answer?["state"]?.string == "paused"
    }
}
