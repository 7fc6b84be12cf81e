package import Aerie
package import ControlAPI
package import GuestImages
internal import HostSystem
package import Runtime

/// Makes the directory and the record of a machine: the only way to a new machine, for the library and for the command line.
package struct MachineMaker {
    /// Where the guest's changes to its image's disk are.
    package enum RootDisk {
        /// They are thrown away at the machine's end.
        case discarded
        /// They are kept in the machine's directory until it is removed.
        case kept
        /// They are kept in a qcow2 file of the user's.
        case overlay(String)
    }

    private let directory: StateDirectory
    private let configuration: Configuration
    /// Nil for a name that is made up.
    package var name: String?
    /// Nil for a machine that boots the configuration's kernel or firmware.
    package var image: StoredImage?
    /// What the init of an image's guest runs at its console; empty for a root shell.
    package var command = GuestBootWords.idleCommand
    /// Words of the kernel's command line of an image's guest, in front of those of the configuration.
    package var words: [String] = []
    /// The size that the image's root disk, and the file system on it, grow to; nil for the image's.
    package var diskSize: ByteSize?
    package var rootDisk = RootDisk.kept
    /// Whether an image's guest has the machine's name as its host name, unless the configuration's command line has another one.
    package var namesHost = true
    /// Seconds that the guest has to power off.
    package var stopTimeout = 10

    /// - Parameters:
    ///   - configuration: the machine's settings, without those of its image.
    ///   - directory: where the machine is kept.
    package init(_ configuration: Configuration, in directory: StateDirectory) {
        self.configuration = configuration
        self.directory = directory
    }

    /// Makes the machine.
    ///
    /// - Parameter complete: changes the record of the machine, whose files are in the directory `work` meanwhile.
    /// - Throws: `usage` for settings out of range and a name that is taken, `badInput` for files that are missing, and the errors of `complete`.
    package func make(_ complete: (_ record: inout MachineRecord, _ work: String) throws -> Void) throws -> Machine {
        if image == nil { try configuration.validate() }
        return try directory.create(name: name) { id, name, work, final in
            var configuration = configuration
            if let image { try add(image, to: &configuration, name: name, work: work, final: final) }
            // The agent is a file of the machine, not a part of its record.
            let agent = image == nil ? [] : configuration.appendedInitrd
            if !agent.isEmpty {
                try Machine.replace("\(work)/\(Machine.agentName)", with: agent, isDurable: false)
                configuration.appendedInitrd = []
            }
            var record = MachineRecord(
                id: id, name: name, created: HostClock.realtime(), stopTimeout: stopTimeout,
                workingDirectory: HostPath.currentDirectory, configuration: configuration)
            record.image = image.map {
                MachineRecord.Image(reference: "\($0.manifest.reference)", directory: $0.directory)
            }
            record.hasAgent = !agent.isEmpty
            try complete(&record, work)
            return record
        }
    }

    /// Adds the image's part to a machine's configuration, and checks the result.
    private func add(
        _ image: StoredImage, to configuration: inout Configuration, name: String, work: String, final: String
    ) throws(AerieError) {
        if namesHost {
            // A name that the caller has given stands behind it, and wins.
            let words = ["aerie.hostname=\(name)", configuration.commandLine]
            configuration.commandLine = words.filter { !$0.isEmpty }.joined(separator: " ")
        }
        var plan = ImageConfiguration(image)
        plan.command = command
        plan.words = words
        plan.diskSize = diskSize
        let disk = (made: "\(work)/\(Machine.rootDiskName)", final: "\(final)/\(Machine.rootDiskName)")
        switch rootDisk {
        case .discarded: break
        case .kept: plan.rootDisk = .kept(path: disk.made, final: disk.final)
        case .overlay(let path): plan.rootDisk = .kept(path: path, final: path)
        }
        try plan.complete(&configuration)
        // The machine's own disk is not in its place yet.
        var checked = configuration
        for index in checked.disks.indices where checked.disks[index].path == disk.final {
            checked.disks[index].path = disk.made
        }
        try checked.validate()
    }
}
