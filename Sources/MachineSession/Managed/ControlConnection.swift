internal import Aerie
internal import CSockets
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

/// One program that talks to a machine over its control socket.
final class ControlConnection: @unchecked Sendable {
    // @unchecked: everything but `wake` is used by the connection's thread.

    private unowned let server: ControlServer
    private var socket: FileDescriptor?
    private let descriptor: Int32
    private var rest: [UInt8] = []
    /// Files that came with the bytes, and that no request has taken.
    private var files = ReceivedFiles(most: Configuration.mostDiskFiles)
    private var answerFiles = AnswerFiles.none
    /// The machine is paused for a request of this connection.
    private var holdsPause = false
    /// The parts of the memory that a transfer of this connection has not sent.
    private var missing: [Range<UInt64>] = []

    init(owning socket: consuming FileDescriptor, server: ControlServer) {
        descriptor = socket.rawValue
        self.socket = consume socket
        self.server = server
    }

    func close() { socket = nil }

    // MARK: Requests

    /// Greets, and answers requests until the other side ends.
    func serve() {
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)
        let greeting = JSONValue.object([
            "aerie": .string("control"), "version": JSONValue(ControlRequest.protocolVersion),
        ])
        guard send(greeting.text + [0x0A]) else { return }
        defer {
            endPause()
            server.disown(self)
        }
        while let line = readLine() {
            guard let request = ControlRequest(line: line) else {
                let id = (try? JSONValue(parsing: line))?["id"]?.integer ?? 0
                let error = AerieError(
                    .usage, asked: "a control request", found: "it is not one of version 1",
                    advice: "see docs/control-protocol.md")
                guard send(ControlAnswer.failure(error).line(id)) else { return }
                continue
            }
            if request.method == .attach { return attach(request) }
            let answer: ControlAnswer
            do throws(AerieError) {
                answer = .result(try perform(request))
            } catch { answer = .failure(error) }
            let isSent = send(answer.line(request.id), answerFiles.descriptors)
            answerFiles.close()
            if request.method == .wait || request.method == .sendPages { server.endWait() }
            guard isSent else { return }
        }
    }

    private func perform(_ request: ControlRequest) throws(AerieError) -> JSONValue {
        let machine = server.machine
        switch request.method {
        case .status: return status
        case .pause: try machine.pause()
        case .resume: try resume()
        case .save:
            return .object(
                try save(files: 2) { (machine, files) throws(AerieError) in
                    try machine.save(state: files[0], memory: files[1])
                })
        case .fork: return try fork()
        case .saveCode: return try saveCode(isForFork: request.parameters["fork"] == .boolean(true))
        case .transfer:
            return .object(
                try save(files: 2) { (machine, files) throws(AerieError) in
                    try machine.transfer(state: files[0], stream: files[1], try options(request))
                })
        case .sendPages: return try sendPages(request)
        case .hold: try hold(request)
        case .returnDisk: try takeBackDisk(request)
        case .powerOff:
            let seconds = request.parameters["timeout"]?.integer
            server.stopper.ask(timeout: seconds.map { UInt64(min(max($0, 0), 1_000_000_000)) * 1_000_000_000 })
        case .kill: server.stopper.kill()
        case .wait:
            guard let outcome = server.waitForEnd() else { break }
            var pairs: [String: JSONValue] = ["code": JSONValue(outcome.code)]
            if let kind = outcome.kind { pairs["outcome"] = .string(kind.rawValue) }
            if let error = outcome.error { pairs["error"] = error.json }
            return .object(pairs)
        case .waitForAgent: return .object(["ready": .boolean(waitForAgent(request))])
        case .statistics: return try statistics()
        case .setMemory:
            try machine.setMemoryTarget(ByteSize(bytes: UInt64(try number("bytes", of: request))))
        case .setMemoryPolicy: try machine.setMemoryPolicy(try memoryPolicy(request))
        case .setLink:
            try machine.setLink(
                ofCard: try number("card", of: request), isUp: request.parameters["up"] == .boolean(true))
        case .resizeDisk:
            try machine.resizeDisk(
                try number("disk", of: request), to: ByteSize(bytes: UInt64(try number("bytes", of: request))))
        case .setDiskRate:
            try machine.setRate(ofDisk: try number("disk", of: request), try rate(request))
        case .setNetworkRate:
            try machine.setRate(ofCard: try number("card", of: request), try rate(request))
        case .setCPU: try setProcessorLimit(request)
        case .resizeWindow:
            let columns = UInt16(clamping: try number("columns", of: request))
            let rows = UInt16(clamping: try number("rows", of: request))
            guard server.hub.resize(try number("attachment", of: request), columns: columns, rows: rows) else {
                throw AerieError(.usage, asked: "another size of a window", found: "the program is not attached")
            }
        case .addDisk: try HotplugRequest(request).addDisk(to: machine, files.takeAll())
        case .addNetworkCard: try HotplugRequest(request).addNetworkCard(to: machine, files.takeAll())
        case .removeDevice: return .object(["removed": .boolean(try HotplugRequest(request).remove(from: machine))])
        case .attach: break
        }
        return .object([:])
    }

    private func resume() throws(AerieError) {
        try server.requireOwner(self, for: "letting the machine go on")
        holdsPause = false
        defer { server.disown(self) }
        try server.machine.resume()
    }

    private func hold(_ request: ControlRequest) throws(AerieError) {
        try DiskRequest(request).handOver(from: server.machine)
        holdsPause = false
    }

    private func takeBackDisk(_ request: ControlRequest) throws(AerieError) {
        let files = files.takeAll()
        do throws(AerieError) { try server.requireOwner(self, for: "taking back a disk") } catch {
            for file in files { Glibc.close(file) }
            throw error
        }
        try DiskRequest(request).takeBack(to: server.machine, files)
    }

    private func setProcessorLimit(_ request: ControlRequest) throws(AerieError) {
        let limit = request.parameters["limit"] ?? .null
        try server.machine.setProcessorLimit(percent: limit == .null ? nil : try number("limit", of: request))
    }

    private func number(_ key: String, of request: ControlRequest) throws(AerieError) -> Int {
        if let number = request.parameters[key]?.integer, number >= 0 { return number }
        throw AerieError(
            .usage, asked: "\(request.method.rawValue) over the control socket", found: "'\(key)' is not a number",
            advice: "see docs/control-protocol.md")
    }

    /// The parameters `bytes` and `operations`; one that is missing is no limit.
    private func rate(_ request: ControlRequest) throws(AerieError) -> RateLimit {
        var rate = RateLimit()
        if request.parameters["bytes"] != nil {
            rate.bytes = ByteSize(bytes: UInt64(try number("bytes", of: request)))
        }
        if request.parameters["operations"] != nil { rate.operations = try number("operations", of: request) }
        return rate
    }

    private func memoryPolicy(_ request: ControlRequest) throws(AerieError) -> MemoryPolicy {
        if let policy = try? request.parameters["policy"]?.decode(MemoryPolicy.self) { return policy }
        throw AerieError(
            .usage, asked: "setMemoryPolicy over the control socket", found: "'policy' is not a memory policy",
            advice: "see docs/control-protocol.md")
    }

    private var status: JSONValue {
        let name =
            switch server.machine.currentState {
            case .created: "created"
            case .starting: "starting"
            case .running: "running"
            case .paused: "paused"
            case .stopping: "stopping"
            case .ended: "exited"
            }
        var pairs: [String: JSONValue] = ["state": .string(name), "agent": .boolean(server.machine.isAgentReady)]
        let away = server.machine.handedOverDisks
        if !away.isEmpty { pairs["handedOverDisks"] = .array(away.map { .string($0) }) }
        return .object(pairs)
    }

    /// Waits in steps, so that the end of the machine ends the wait.
    private func waitForAgent(_ request: ControlRequest) -> Bool {
        let seconds = min(max(request.parameters["timeout"]?.integer ?? 60, 0), 3600)
        let deadline = HostClock.monotonic() &+ UInt64(seconds) * 1_000_000_000
        while true {
            let now = HostClock.monotonic()
            if server.machine.waitForAgent(until: min(deadline, now &+ 250_000_000)) { return true }
            if HostClock.monotonic() >= deadline { return false }
            if case .ended = server.machine.currentState { return false }
        }
    }

    /// Saves the machine by files that came with the request. A machine that was running stands still afterwards, until the client lets
    /// it go on or ends the connection.
    private func save(
        files count: Int, _ body: (VirtualMachine, _ files: [Int32]) throws(AerieError) -> SavingReport
    ) throws(AerieError) -> [String: JSONValue] {
        let files = try take(count)
        defer { for file in files { Glibc.close(file) } }
        try server.own(self, for: "saving the machine")
        let report: SavingReport
        do throws(AerieError) { report = try body(server.machine, files) } catch {
            server.disown(self)
            throw error
        }
        holdsPause = report.wasRunning || holdsPause
        missing = report.missing
        let paused = HostClock.monotonic() - report.pausedAt
        return [
            "wasRunning": .boolean(holdsPause), "pausedMicroseconds": JSONValue(Int(paused / 1000)),
            "sentBytes": JSONValue(Int(report.sentCount)),
            "missingBytes": JSONValue(missing.reduce(0) { $0 + $1.count }),
        ]
    }

    /// As `save`, for copies on this host. Files of the memory go with the answer.
    private func fork() throws(AerieError) -> JSONValue {
        var usesFile = false
        var pairs = try save(files: 3) { (machine, files) throws(AerieError) in
            let report = try machine.fork(state: files[0], memory: files[1], map: files[2])
            (usesFile, answerFiles) = (report.usesFile, .machines(report.files))
            return report.saving
        }
        pairs["usesFile"] = .boolean(usesFile)
        pairs["files"] = JSONValue(answerFiles.descriptors.count)
        return .object(pairs)
    }

    private func saveCode(isForFork: Bool) throws(AerieError) -> JSONValue {
        let files = try take(1)
        defer { Glibc.close(files[0]) }
        guard let shared = try server.machine.saveCode(files[0], isForFork: isForFork) else { return .object([:]) }
        answerFiles = .owned(shared)
        return .object(["files": JSONValue(1)])
    }

    /// The files that came with a request, which are the caller's then.
    private func take(_ count: Int) throws(AerieError) -> [Int32] {
        if let files = files.take(count) { return files }
        throw AerieError(
            .usage, asked: "saving over the control socket",
            found: "\(count == 1 ? "a file has" : "\(count) files have") to come with the request",
            advice: "see docs/control-protocol.md")
    }

    /// Sends what a transfer has left out, over two descriptors that came with the request. The machine is killed when its receiver needs
    /// nothing more, unless the receiver has refused it: nobody may let it go on here any more.
    private func sendPages(_ request: ControlRequest) throws(AerieError) -> JSONValue {
        // The answer is sent before the end of the machine ends the connection.
        server.beginWait()
        let files = try take(2)
        defer { for file in files { Glibc.close(file) } }
        var outcome: JSONValue?
        let report = try server.machine.sendPages(missing, input: files[0], output: files[1], try options(request)) {
            (text) in
            outcome = text.flatMap { try? JSONValue(parsing: $0) }
            if outcome?["name"] != nil { server.stopper.kill() }
        }
        var pairs: [String: JSONValue] = [
            "isComplete": .boolean(report.isComplete), "sentBytes": JSONValue(Int(report.sentCount)),
        ]
        outcome = outcome ?? report.outcome.flatMap { try? JSONValue(parsing: $0) }
        if let outcome { pairs["outcome"] = outcome }
        if let time = report.heardAt {
            pairs["heardMicroseconds"] = JSONValue(Int((HostClock.monotonic() - time) / 1000))
        }
        if let failure = report.failure { pairs["failure"] = .string(failure) }
        return .object(pairs)
    }

    private func options(_ request: ControlRequest) throws(AerieError) -> TransferOptions {
        var options = TransferOptions(isCompressed: request.parameters["compressed"] == .boolean(true))
        if let name = request.parameters["postCopy"]?.string {
            guard let postCopy = TransferOptions.PostCopy(rawValue: name) else {
                throw AerieError(
                    .usage, asked: "a transfer's postCopy", found: "'\(name)' is not never, auto or always",
                    advice: "see docs/control-protocol.md")
            }
            options.postCopy = postCopy
        }
        guard let bandwidth = request.parameters["bandwidth"], bandwidth != .null else { return options }
        guard let bytes = bandwidth.integer.flatMap({ UInt64(exactly: $0) }), TransferOptions.bandwidths.contains(bytes)
        else {
            throw AerieError(
                .usage, asked: "a transfer's bandwidth", found: "it is not from 65536 to 2^40 bytes a second",
                advice: "see docs/control-protocol.md")
        }
        options.bandwidth = bytes
        return options
    }

    private func endPause() {
        guard holdsPause else { return }
        holdsPause = false
        // Nothing to let go on where the machine has ended.
        try? server.machine.resume()
    }

    private func statistics() throws(AerieError) -> JSONValue {
        do {
            let devices = try JSONValue(encoding: server.machine.deviceStatistics)
            return .object(["memory": try JSONValue(encoding: server.machine.memoryStatistics), "devices": devices])
        } catch {
            throw AerieError(.internalError, asked: "statistics", found: "\(error)")
        }
    }

    // MARK: The console

    /// From the answer on, the connection is the console: what arrives is typed, and what the guest writes is sent.
    private func attach(_ request: ControlRequest) {
        var size: (columns: UInt16, rows: UInt16)?
        if let columns = request.parameters["columns"]?.integer, let rows = request.parameters["rows"]?.integer {
            size = (UInt16(clamping: columns), UInt16(clamping: rows))
        }
        guard let wake = try? WakeCounter() else { return }
        let withRecent = request.parameters["recent"] != .boolean(false)
        let holdsGuest = request.parameters["holdsGuest"] == .boolean(true)
        let attachment = server.hub.attach(
            windowSize: size, withRecent: withRecent, holdsGuest: holdsGuest, wake: { wake.signal() })
        guard let number = attachment else {
            let error = AerieError(
                .unavailable, asked: "attaching to the console", found: "too many programs are attached")
            _ = send(ControlAnswer.failure(error).line(request.id))
            return
        }
        server.beginWait()
        defer {
            server.hub.detach(number)
            server.endWait()
        }
        let answer = ControlAnswer.result(.object(["attachment": JSONValue(number)]))
        guard send(answer.line(request.id)) else { return }
        let flags = fcntl(descriptor, F_GETFL)
        _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
        var relay = ConsoleRelay(descriptor: descriptor, hub: server.hub, number: number, wake: wake, typed: rest)
        relay.run()
    }

    // MARK: Lines

    private func readLine() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            if let end = rest.firstIndex(of: 0x0A) {
                defer { rest.removeFirst(end + 1) }
                return Array(rest[..<end])
            }
            guard rest.count <= ControlRequest.longestLine else { return nil }
            let count = buffer.withUnsafeMutableBytes { files.receive(descriptor, into: $0) }
            if count <= 0 { return nil }
            rest += buffer[..<count]
        }
    }

    /// - Parameter files: go with the first of the bytes.
    private func send(_ bytes: [UInt8], _ files: [Int32] = []) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let files = done == 0 ? files : []
                let count = aerie_stream_send(
                    descriptor, bytes.baseAddress! + done, UInt(bytes.count - done), files, Int32(files.count))
                if count < 0 { return false }
                done += count
            }
            return true
        }
    }
}
