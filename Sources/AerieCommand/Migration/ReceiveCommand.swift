internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import DiskImages
internal import GuestImages
internal import HostSystem
internal import Runtime

struct ReceiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Wait for a machine that 'aerie migrate' sends, and let it go on here.",
        discussion: """
            LISTEN is unix:PATH, 127.0.0.1:PORT, or - for standard input and output, which 'aerie migrate … ssh:HOST' uses. Only the same user \
            can send to it. The machine's image has to be here. Prints the machine's name.

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

    func run() throws {
        let address = try MigrationAddress(listen)
        let connection = try MigrationConnection.accept(address)
        let receiver = MigrationReceiver(input: connection.input, output: connection.output)
        let machine = try receiver.receive(
            into: try userMachines(), name: name, adapt: adapt, finish: finish, start: MachineStarting.start)
        connection.close()
        // Standard output is the sender's.
        if address != .standard { print(machine.record.name) }
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
