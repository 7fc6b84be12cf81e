/// What the client sends, and what it asks for.
extension Session {
    private enum Item {
        case incomplete
        case data(length: Int)
        case message(ClientMessage)
        case outOfMemory
    }

    /// Takes whole messages, and whatever is there of data, out of the inbox.
    func consume() throws(AgentFailure) {
        while phase != .closing, work?.isRaw != true {
            if restOfData > 0 {
                let count = min(restOfData, inbox.count)
                guard count > 0 else { return }
                guard let work else { throw AgentFailure.wrongState }
                try work.take(UnsafeRawBufferPointer(rebasing: inbox.bytes[..<count]))
                inbox.take(count)
                restOfData -= count
                continue
            }
            let item: Item
            do throws(ProtocolFault) {
                item = try nextItem()
            } catch {
                throw AgentFailure(.faultyMessage, text: [UInt8](error.text))
            }
            switch item {
            case .incomplete: return
            case .outOfMemory: throw AgentFailure.outOfMemory
            case .data(let length): try beginData(length)
            case .message(let message): try handle(message)
            }
        }
    }

    private func nextItem() throws(ProtocolFault) -> Item {
        guard inbox.count >= FrameHeader.size else { return .incomplete }
        let header = try FrameHeader(inbox.bytes)
        if header.type == .data {
            guard header.stream == 0 else { throw ProtocolFault.stream }
            guard header.length > 0 else { throw ProtocolFault.length }
            inbox.take(FrameHeader.size)
            return .data(length: header.length)
        }
        let whole = FrameHeader.size + header.length
        guard inbox.count >= whole else {
            // The next read finds place for the rest.
            return inbox.reserve(whole - inbox.count) ? .incomplete : .outOfMemory
        }
        let payload = Array(inbox.bytes[FrameHeader.size..<whole])
        inbox.take(whole)
        return .message(try ClientMessage(Frame(header.type, stream: header.stream, payload: payload)))
    }

    private func beginData(_ length: Int) throws(AgentFailure) {
        guard phase == .working, !inputHasEnded else { throw AgentFailure.wrongState }
        guard length <= credit else {
            throw AgentFailure(.faultyMessage, text: [UInt8]("more data was sent than the agent has granted"))
        }
        credit -= length
        restOfData = length
    }

    private func handle(_ message: ClientMessage) throws(AgentFailure) {
        switch message {
        case .hello(let version):
            guard phase == .hello else { throw AgentFailure.wrongState }
            send(.hello(version: AgentLimits.version, bootID: agent.bootID))
            phase = .request
            guard version == AgentLimits.version else { return finish() }
        case .request(let request):
            guard phase == .request else { throw AgentFailure.wrongState }
            phase = .working
            deadline = UInt64.max
            try begin(request)
        case .data: throw AgentFailure.wrongState
        case .end:
            guard phase == .working, !inputHasEnded, let work else { throw AgentFailure.wrongState }
            inputHasEnded = true
            try work.takeEnd()
        case .signal(let number):
            guard phase == .working, let work else { throw AgentFailure.wrongState }
            try work.takeSignal(number)
        case .window(let rows, let columns):
            guard phase == .working, let work else { throw AgentFailure.wrongState }
            try work.takeWindow(rows: rows, columns: columns)
        }
    }

    private func begin(_ request: AgentRequest) throws(AgentFailure) {
        switch request {
        case .execute(let request):
            work = agent.isBooting ? WaitingCommand(self, request) : try Command(self, request)
        case .ping: answerDone()
        case .inform:
            send(.information(GuestFacts.information()))
            finish()
        case .configure(let request):
            try Identity.apply(request)
            answerDone(files: request.countsHooks ? Identity.hookCount : 0)
        case .powerOff: endSystem(.powerOff)
        case .reboot: endSystem(.reboot)
        case .status(let request):
            send(.status(try FileFacts.status(request)))
            finish()
        case .put(let request): work = try Unpacking(self, request)
        case .get(let request): work = try Packing(self, request)
        case .forward(let request): work = try Forwarding(self, request)
        case .listen(let request): work = try Listening(self, request)
        }
    }

    private func answerDone(files: UInt64 = 0) {
        send(.done(files: files, bytes: 0))
        finish()
    }

    private func endSystem(_ action: SystemEnd.Action) {
        answerDone()
        // The answer is on its way before the system takes the agent down.
        drive()
        SystemEnd.request(action, agent.options)
    }
}
