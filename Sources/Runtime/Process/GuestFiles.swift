internal import Aerie
internal import AgentProtocol
package import ControlAPI
internal import GuestBoot

/// The files of a machine that its guest finds in the initial RAM disk, beside the agent, which is its `/init`.
package enum GuestFiles {
    private static let commandName = "aerie-command"
    private static let networkName = "aerie-network"

    /// An archive for the end of the initial RAM disk; empty for a machine without such files.
    ///
    /// - Parameter hasCommand: whether the guest runs the machine's command at its console.
    package static func archive(_ record: MachineRecord, hasCommand: Bool) -> [UInt8] {
        var files: [(name: String, mode: UInt32, bytes: [UInt8])] = []
        if hasCommand, let command = command(record) { files.append((commandName, 0o600, command)) }
        if let network = record.network {
            files.append((networkName, 0o644, Array(network.text(record.configuration.networkCards).utf8)))
        }
        guard !files.isEmpty else { return [] }
        var archive = CpioArchive()
        for file in files { archive.addFile(file.name, mode: file.mode, file.bytes) }
        return archive.finished()
    }

    /// The record of the machine's command for the agent; nil without a command, and for one that is too large.
    package static func command(_ record: MachineRecord) -> [UInt8]? {
        guard let settings = record.commandSettings, !record.command.isEmpty else { return nil }
        var request = ExecuteRequest(arguments: record.command.map { Array($0.utf8) })
        request.environment = settings.environment.map { Array($0.utf8) }
        request.directory = settings.directory.map { Array($0.utf8) }
        request.user = settings.user.map { Array($0.utf8) }
        return request.record
    }
}
