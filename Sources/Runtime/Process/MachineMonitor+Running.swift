internal import CRuntime
internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Jail

/// While the machine runs: what its process, its health checks and the user's signals say.
extension MachineMonitor {
    /// Milliseconds without an event after which the monitor gives memory back that it can get again.
    private static let quietLimit: Int32 = 3000

    /// Serves the machine's process until it has ended.
    func serve(_ process: JailedProcess, _ broker: Broker) {
        var linkIsOpen = true
        var brokerIsOpen = true
        // Whether the pages of the program have been given back since the last event.
        var isQuiet = false
        while true {
            let descriptors = [
                signalSource.rawValue, process.statusDescriptor, linkIsOpen ? link : -1,
                brokerIsOpen ? process.brokerDescriptor : -1,
            ]
            var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            // Nobody writes to this end; the closing of the other one is an error of it.
            entries.append(pollfd(fd: isAttended || awaitsIdentity ? ready : -1, events: 0, revents: 0))
            entries.append(pollfd(fd: health?.descriptor ?? -1, events: Int16(POLLIN), revents: 0))
            if poll(&entries, nfds_t(entries.count), isQuiet ? -1 : Self.quietLimit) == 0 {
                trimHeap()
                releaseProgram()
                isQuiet = true
                continue
            }
            isQuiet = false
            if entries[2].revents != 0 { linkIsOpen = readLink() }
            if entries[3].revents != 0 { brokerIsOpen = broker.serve(process.brokerDescriptor) }
            if entries[0].revents != 0 { takeSignals() }
            if entries[4].revents != 0 { isAttended ? leave() : endIdentity() }
            if entries[5].revents != 0 { takeHealth() }
            guard let ending = process.collect() else { continue }
            // The last words may still be in the sockets.
            while linkIsOpen { linkIsOpen = readLink() }
            if brokerIsOpen { _ = broker.serve(process.brokerDescriptor) }
            broker.finish()
            noteDeath(ending, broker.forbiddenCall)
            return
        }
    }

    /// - Returns: false at the end of the connection.
    private func readLink() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { recv(link, $0.baseAddress, $0.count, 0) }
        if count < 0, errno == EINTR { return true }
        if count <= 0 { return false }
        rest += buffer[..<count]
        while let end = rest.firstIndex(of: 0x0A) {
            if let value = try? JSONValue(parsing: Array(rest[..<end])) { take(value) }
            rest.removeFirst(end + 1)
        }
        // The machine's process may be the guest's by now: nothing that it says is without a bound.
        if rest.count > ControlRequest.longestLine { rest = [] }
        return true
    }

    func take(_ value: JSONValue) {
        if let name = value["state"]?.string, let state = MachineStatus.State(rawValue: name) {
            status.state = state
            let mustLast = state == .running && noteStart()
            checkHealth(in: state)
            save()
            if mustLast { keepArrival() }
            if state == .running { announce(.result(.object([:]))) }
            // Whoever has started the machine cannot refuse it any more.
            if state == .running { ArrivedFiles.keep(of: machine.directory) }
        } else if end == nil, let code = value["end"]?.integer {
            let error = value["error"].flatMap { AerieError(json: $0) }
            end = End(
                code: Int32(truncatingIfNeeded: code) & 0xFF, error: error, isWanted: value["wanted"] == .boolean(true),
                kind: value["outcome"]?.string.flatMap { EndKind(rawValue: $0) })
            guard error == nil else { return }
            // A guest of a few instructions ends before its start is seen. It has run all the same.
            if noteStart() {
                save()
                keepArrival()
            }
            announce(.result(.object([:])))
        }
    }

    /// - Returns: whether this was the first start of a machine that was migrated here with disks outside of its directory. Whoever boots it again after
    ///   a crash of the host must not have its memory of the handover beside disks of today. Others do without the waits for the storage.
    private func noteStart() -> Bool {
        guard isFreshStart else { return false }
        isFreshStart = false
        let mustLast = [SharedDisks.name, ArrivedFiles.name].contains { access(machine.file($0), F_OK) == 0 }
        SavedStart.discard(of: machine)
        status.started = HostClock.realtime()
        status.finished = nil
        status.exitCode = nil
        status.outcome = nil
        status.error = nil
        return mustLast
    }

    /// The first start is on the storage before anybody hears of it.
    private func keepArrival() {
        // Whoever has sent it cannot have it back if it runs before its memory is there.
        if let mark = machine.arrivalMark, mark != .prepared { ArrivedFiles.keep(of: machine.directory) }
        machine.synchronizeStart()
    }

    private func checkHealth(in state: MachineStatus.State) {
        switch state {
        case .running:
            if let health { return health.resume() }
            guard let check = machine.record.healthCheck else { return }
            do throws(SystemError) {
                health = try HealthWatch(check, of: machine)
            } catch {
                endHealth("they cannot begin: \(error)")
            }
        case .paused: health?.pause()
        default: break
        }
    }

    func takeHealth() {
        guard let state = health?.next() else { return endHealth("their process has ended") }
        status.health = state
        save()
    }

    private func endHealth(_ reason: String) {
        health = nil
        status.health = .unhealthy
        StandardError.offer(line: "aerie-vm: the health checks of machine '\(machine.record.name)': \(reason)")
        save()
    }

    func takeSignals() {
        var code: Int32 = 0
        var sender: Int32 = 0
        while true {
            let signal = aerie_take_signal(signalSource.rawValue, &code, &sender)
            guard signal > 0 else { return }
            guard signal != SIGCHLD else { continue }
            if signal == SIGTSTP {
                stopWithMachine()
                continue
            }
            wasAsked = true
            tell(["signal": JSONValue(signal)])
        }
    }

    private func noteDeath(_ ending: JailedProcess.Ending, _ forbidden: ForbiddenCall?) {
        if let refusal {
            end = End(code: refusal.exitCode, error: refusal, isWanted: true)
            return
        }
        switch ending {
        case .exited(let code): if end == nil { end = End(code: code) }
        case .signalled(let signal):
            let found = forbidden.map { "\($0)" } ?? "its process was ended by signal \(signal)"
            let error = AerieError(
                .internalError, asked: "machine '\(machine.record.name)'", found: found,
                advice: forbidden == nil ? "see \(machine.file(Machine.logName))" : "report it if the guest is sound")
            if forbidden != nil { StandardError.offer(line: "aerie: \(error)") }
            end = End(code: 128 + signal, error: error, isWanted: end?.isWanted ?? false, kind: .crashed)
        }
    }
}
