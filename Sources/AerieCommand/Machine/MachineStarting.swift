internal import AerieMachines
internal import Runtime

/// Starts a machine of the user again, with the image that it was made from.
enum MachineStarting {
    static func start(_ machine: Machine) throws {
        try MachineStarter(images: try userImageStore(), program: try MachineProgram()).start(machine)
    }
}
