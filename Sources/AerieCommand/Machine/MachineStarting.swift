internal import AerieMachines
internal import Runtime

/// Starts a machine of the user again, with the image that it was made from.
enum MachineStarting {
    static var starter: MachineStarter {
        get throws { MachineStarter(images: try userImageStore(), program: try MachineProgram()) }
    }

    static func start(_ machine: Machine) throws { try starter.start(machine) }
}
