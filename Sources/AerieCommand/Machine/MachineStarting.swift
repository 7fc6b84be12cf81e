internal import AerieMachines
internal import Runtime

/// Starts a machine of the user again, with the image that it was made from.
enum MachineStarting {
    static var starter: MachineStarter {
        get throws { MachineStarter(images: try userImageStore(), program: try MachineProgram()) }
    }

    /// - Parameter memory: what the machine begins with, unless that is in its directory.
    static func start(_ machine: Machine, memory: GivenMemory? = nil) throws {
        try starter.start(machine, memory: memory)
    }
}
