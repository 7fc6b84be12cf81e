internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import DiskImages
internal import Glibc
internal import GuestImages
internal import HostSystem
internal import Runtime

struct ReceiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Wait for a machine that 'aerie migrate' sends, and let it go on here.",
        discussion: """
            LISTEN is unix:PATH, 127.0.0.1:PORT, or - for standard input and output, which 'aerie migrate … ssh:HOST' uses. Only the same user \
            can send to it. The machine's image has to be here. Prints the machine's name. When the connection ends at the handover, waits a \
            minute for the sender's question what has become of the machine.

            Example:
              aerie receive unix:/run/user/1000/incoming
            """)

    @Argument(help: ArgumentHelp("Where to wait.", valueName: "listen"))
    var listen: String
    @Option(help: ArgumentHelp("The machine's name here (default: the one that it has).", valueName: "name"))
    var name: String?
    @Flag(help: "Publish none of the machine's ports, which the sender on the same host still has.")
    var noPublish = false
    @OptionGroup var verbosity: VerbosityOptions

    /// How long a sender may ask what has become of its machine, in nanoseconds.
    private static let patience: UInt64 = 60_000_000_000

    func run() throws {
        let address = try MigrationAddress(listen)
        while let connection = try MigrationConnection.accept(address) {
            let receiver = MigrationReceiver(
                into: try userMachines(), input: connection.input, output: connection.output)
            guard try receiver.answer(start: { try start($0, nil) }) == nil else {
                // A question about an earlier machine.
                connection.close()
                if address == .standard { return }
                continue
            }
            let result = Result { try receiver.receive(name: name, adapt: adapt, finish: finish, start: start) }
            connection.close()
            // Standard output is the sender's.
            if address != .standard, let machine = try? result.get() {
                print(machine.record.name)
                fflush(nil)
            }
            if receiver.mayBeAsked { answerQuestions(at: address) }
            _ = try result.get()
            return
        }
    }

    private func start(_ machine: Machine, _ arrival: ArrivalDescriptors?) throws {
        try MachineStarting.start(machine, memory: arrival.map { .arrival($0) })
    }

    /// Waits for a sender that has lost its connection, and may not know what has become of its machine.
    private func answerQuestions(at address: MigrationAddress) {
        // Over standard input and output, it comes to another process.
        guard address != .standard else { return }
        let deadline = HostClock.monotonic() + Self.patience
        while let connection = try? MigrationConnection.accept(address, until: deadline) {
            defer { connection.close() }
            guard let store = try? userMachines() else { return }
            let receiver = MigrationReceiver(into: store, input: connection.input, output: connection.output)
            if (try? receiver.answer(start: { try start($0, nil) })) == true { return }
        }
    }

    private func adapt(_ record: inout MachineRecord) throws {
        if noPublish { record.configuration.publishedPorts = [] }
        guard let image = record.image else { return }
        guard let found = userImages().first(where: { $0.identity == image.identity }) else {
            throw AerieError(
                .unavailable, asked: "machine '\(record.name)'",
                found: "its image \(image.reference) (\(image.identity.prefix(12))) is not on the receiver's host",
                advice: "copy the directory \(image.directory) to the image store there")
        }
        record.moveImage(to: found.directory)
    }

    private func userImages() -> [StoredImage] { (try? userImageStore())?.list() ?? [] }

    /// Disks on the image's disk name it by its path at the sender.
    private func finish(_ work: String, _ here: MachineRecord, _ there: MachineRecord) throws {
        guard let old = there.image?.directory, let new = here.image?.directory, old != new else { return }
        do throws(DiskImageError) {
            for name in Snapshot.bases(in: work) + [Machine.rootDiskName] {
                let path = "\(work)/\(name)"
                guard (try? FileIdentity(path: path)) != nil else { continue }
                let disk = try DiskInformation(path: path, format: .qcow2).qcow2
                guard let base = disk?.backingFile, base.hasPrefix("\(old)/") else { continue }
                let format = disk?.backingFormat.flatMap { DiskImageFormat(rawValue: $0) } ?? .raw
                try DiskRebase.rebase(path: path, base: new + base.dropFirst(old.count), format: format)
            }
        } catch { throw AerieError(disk: error) }
    }
}

extension MachineRecord {
    /// Names the image's files in another directory.
    fileprivate mutating func moveImage(to directory: String) {
        guard let old = image?.directory, old != directory else { return }
        func moved(_ path: String) -> String {
            path.hasPrefix("\(old)/") ? directory + path.dropFirst(old.count) : path
        }
        image?.directory = directory
        configuration.kernel = configuration.kernel.map(moved)
        configuration.initrd = configuration.initrd.map(moved)
        for index in configuration.disks.indices {
            configuration.disks[index].path = moved(configuration.disks[index].path)
        }
    }
}
