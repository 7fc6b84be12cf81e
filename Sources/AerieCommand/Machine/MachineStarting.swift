internal import Aerie
internal import ControlAPI
internal import Foundation
internal import GuestImages
internal import Runtime

/// Starts a machine again, with the image that it was made from.
enum MachineStarting {
    static func start(_ machine: Machine) throws {
        try starting(machine) { lease throws in try MachineProgram().start(machine, lease: lease) }
    }

    /// As `start`, for a machine that shall not outlive this program.
    static func startAttended(_ machine: Machine) throws -> MachineProgram.Attendance {
        try starting(machine) { lease throws in try MachineProgram().startAttended(machine, lease: lease) }
    }

    private static func starting<Result: ~Copyable>(
        _ machine: Machine, _ start: (_ lease: Int32) throws -> Result
    ) throws -> Result {
        try renewAgent(machine)
        let lease = try machine.record.image.map { image in
            try userImageStore().lease(directory: image.directory, name: image.reference)
        }
        switch consume lease {
        case .some(let lease):
            let result = try start(lease.descriptor)
            _ = consume lease
            return result
        case .none: return try start(-1)
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
