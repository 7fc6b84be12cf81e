internal import Aerie
internal import ControlAPI
internal import Foundation
internal import GuestImages
internal import Runtime

/// Starts a machine again, with the image that it was made from.
enum MachineStarting {
    static func start(_ machine: Machine) throws {
        try renewAgent(machine)
        let lease = try machine.record.image.map { image in
            try userImageStore().lease(directory: image.directory, name: image.reference)
        }
        switch consume lease {
        case .some(let lease):
            try MachineProgram().start(machine, lease: lease.descriptor)
            _ = consume lease
        case .none: try MachineProgram().start(machine, lease: -1)
        }
    }

    /// The guest gets the agent of this program, not that of the one that made the machine.
    private static func renewAgent(_ machine: Machine) throws {
        let name = machine.record.configuration.architecture.rawValue
        guard machine.record.hasAgent, let architecture = ImageArchitecture(rawValue: name) else { return }
        let archive = StoredImage.agentArchive(for: architecture)
        try Data(archive).write(to: URL(filePath: machine.file(Machine.agentName)), options: .atomic)
    }
}
