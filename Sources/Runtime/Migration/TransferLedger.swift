package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// What has become of the machines that were sent to a user's directory of machines: a sender that has lost its connection asks.
///
/// A transfer has a name, which the sender chooses. The directory of a machine that is being received, and of the machine afterwards, has a
/// file with this name. A machine appears only when its sender has given it away, and starts only after that. A list of the transfers whose
/// machines have appeared answers for machines that were removed since.
package struct TransferLedger {
    /// What has become of the machine of a transfer.
    package enum Fate: Equatable {
        /// It runs, or has run, and needs its sender no more.
        case here(name: String)
        /// It has run, and has ended because a part of its memory did not come.
        case lost(name: String)
        /// This is decided later.
        case undecided
        /// It is not here and will never be.
        case absent
    }

    /// How long a question waits for a machine that is about to start, in nanoseconds.
    private static let patience: UInt64 = 10_000_000_000
    /// How long the receiver of a machine has to start it until somebody else does, in nanoseconds.
    private static let grace: UInt64 = 3_000_000_000
    /// Transfers that the list has at most, and for how long, in seconds.
    private static let most = 256
    private static let longest = 7 * 86_400
    private static let postCopy: [UInt8] = Array("post-copy".utf8)

    private let store: StateDirectory

    package init(_ store: StateDirectory) { self.store = store }

    private var list: String { "\(store.path)/.transfers" }

    /// Whether a text is a transfer's name, or a directory's identity.
    static func isName(_ text: String) -> Bool {
        text.utf8.count == 24 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    /// A name that no other transfer has.
    package static func newName() throws(AerieError) -> String { try MachineNames.newID() + MachineNames.newID() }

    /// The identity of the directory of machines: another directory's answers mean nothing.
    package func identity() throws -> String {
        try store.records.makeDirectories()
        return try store.records.locked { () throws -> String in
            let path = "\(store.path)/.identity"
            if let found = Self.text(of: path), Self.isName(found) { return found }
            let identity = try Self.newName()
            try Machine.replace(path, with: Array(identity.utf8), isDurable: true)
            return identity
        }
    }

    private static func text(of path: String) -> String? {
        (try? Machine.readFile(path)).map { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: By the receiver

    /// A machine of a transfer is being made in a directory.
    func begin(_ transfer: String, in work: String) throws(SystemError) {
        try Machine.replace("\(work)/\(Machine.transferName)", with: Array(transfer.utf8), isDurable: true)
    }

    /// The machine of a transfer has appeared, and is about to start.
    func note(_ transfer: String, isPostCopy: Bool) throws(SystemError) {
        mkdir(list, 0o700)
        clearUp()
        try Machine.replace("\(list)/\(transfer)", with: isPostCopy ? Self.postCopy : [], isDurable: true)
    }

    /// The machine of a transfer has not started, and is removed next.
    func forget(_ transfer: String) { unlink("\(list)/\(transfer)") }

    private func clearUp() {
        let now = Int(HostClock.realtime() / 1_000_000_000)
        let files = directoryNames(list).filter(Self.isName).map { name -> (path: String, age: Int) in
            var status = stat()
            let path = "\(list)/\(name)"
            return (path, lstat(path, &status) == 0 ? now - status.st_mtim.tv_sec : 0)
        }
        for (index, file) in files.sorted(by: { $0.age < $1.age }).enumerated()
        where index >= Self.most || file.age > Self.longest { unlink(file.path) }
    }

    // MARK: Questions

    /// Decides what has become of the machine of a transfer, and waits for a machine that is about to start.
    ///
    /// - Parameter start: starts a machine whose receiver was killed.
    package func fate(of transfer: String, start: (Machine) throws -> Void) throws -> Fate {
        let begun = HostClock.monotonic()
        while true {
            let (fate, machine) = try look(transfer)
            let waited = HostClock.monotonic() - begun
            guard fate == .undecided, waited < Self.patience else { return fate }
            if let machine, waited > Self.grace, !machine.isRunning, machine.arrivalMark == nil {
                do { try start(machine) } catch  where !machine.isRunning {
                    forget(transfer)
                    try store.remove(machine, isTakenBack: true)
                    return .absent
                }
            }
            usleep(20_000)
        }
    }

    private func look(_ transfer: String) throws -> (Fate, Machine?) {
        guard Self.isName(transfer) else { return (.absent, nil) }
        return try store.records.locked { () throws -> (Fate, Machine?) in
            if let machine = store.machines().first(where: { Self.text(of: $0.file(Machine.transferName)) == transfer })
            {
                return (try fate(of: machine, transfer), machine)
            }
            if let note = try? Machine.readFile("\(list)/\(transfer)") {
                // It was removed since. Of a machine that ran before its memory was there, nobody knows whether it was lost.
                return (note == Self.postCopy ? .lost(name: "") : .here(name: ""), nil)
            }
            for work in store.records.unfinished where Self.text(of: "\(work)/\(Machine.transferName)") == transfer {
                try store.records.discard(unfinished: work)
            }
            return (.absent, nil)
        }
    }

    private func fate(of machine: Machine, _ transfer: String) throws -> Fate {
        let name = machine.record.name
        let isRunning = machine.isRunning
        switch machine.arrivalMark {
        case .complete?: return .here(name: name)
        case .running?: return isRunning ? .undecided : .lost(name: name)
        case .prepared?:
            guard !isRunning else { return .undecided }
            // Its memory was with a receiver that is gone, or that has not started it yet and cannot any more.
            do { try store.remove(machine, isTakenBack: true) } catch  where machine.isRunning { return .undecided }
            forget(transfer)
            return .absent
        case nil: return machine.status.started == nil ? .undecided : .here(name: name)
        }
    }
}

extension Machine {
    /// How far a machine has come that runs before its memory is there; nil for other machines, and after their next start.
    var arrivalMark: Arrival.Mark? {
        (try? Self.readFile(file(Self.arrivalName)))?.first.flatMap { Arrival.Mark(rawValue: $0) }
    }
}
