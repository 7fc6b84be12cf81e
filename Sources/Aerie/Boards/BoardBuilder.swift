internal import GuestMemory
internal import HostSystem
internal import Machine

/// The board for a configuration's architecture.
enum BoardBuilder {
    /// - Parameters:
    ///   - services: what other processes do on the host for the machine.
    ///   - log: takes messages of devices about the guest.
    static func make(
        _ configuration: Configuration, console: any CharacterChannel, control: any CharacterChannel,
        services: HostServices, log: Log, events: @escaping SystemEventHandler
    ) throws(AerieError) -> any Board {
        switch configuration.architecture {
        case .riscv64:
            return try RISCVBoard(
                configuration, console: console, control: control, services: services, log: log, events: events)
        case .x86_64:
            #if arch(x86_64)
                return try X86Board(
                    configuration, console: console, control: control, services: services, log: log, events: events)
            #else
                break
            #endif
        case .aarch64: break
        }
        preconditionFailure("validation refuses architectures without a board")
    }

    /// The guest's memory.
    static func memory(
        _ ranges: [(base: UInt64, size: UInt64)], _ configuration: Configuration, _ services: HostServices
    ) throws(AerieError) -> GuestMemory {
        let saved = try services.memory.map { (files) throws(AerieError) in
            try SavedMemory(files, asked: "the saved memory of the machine")
        }
        return try wrapping("--memory \(configuration.memory)") { () throws(SystemError) in
            let arrival = try services.arrival.map { (files) throws(SystemError) in
                try MemoryArrival(
                    files, size: ranges.reduce(0) { $0 + $1.size },
                    servesKernel: VirtualMachine.servesKernel(configuration))
            }
            return try GuestMemory(
                ranges: ranges, isMergeable: configuration.mergesMemory, contents: saved?.source, arrival: arrival,
                logsWrites: true)
        }
    }
}
