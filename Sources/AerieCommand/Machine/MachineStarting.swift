internal import ControlAPI
internal import GuestImages
internal import Runtime

/// Starts a machine again, with the image that it was made from.
enum MachineStarting {
    static func start(_ machine: Machine) throws {
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
}
