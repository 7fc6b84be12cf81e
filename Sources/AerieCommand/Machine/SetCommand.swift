internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import MachineSession
internal import Runtime

struct SetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Change a running machine.",
        discussion: """
            The changes last until the machine ends.

            Examples:
              aerie set build --memory 256M
              aerie set build --disk 1=20G
              aerie set build --link 0=down
            """)

    @OptionGroup var machine: OneMachine

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Ask the guest to live with this much memory; up to what the machine has.", valueName: "size"))
    var memory: String?

    @Option(
        help: ArgumentHelp(
            "Make a raw disk larger, as NUMBER=SIZE; an image's root disk is number 0. Repeatable.", valueName: "disk"))
    var disk: [String] = []

    @Option(
        help: ArgumentHelp("Take a network card's link down or up, as NUMBER=down|up. Repeatable.", valueName: "link"))
    var link: [String] = []

    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        guard memory != nil || !disk.isEmpty || !link.isEmpty else {
            throw AerieError(
                .usage, asked: "set", found: "nothing is to be changed", advice: "see 'aerie help set'")
        }
        let client = try ControlClient(try machine.find())
        if let memory {
            let size = try RunSettings.size(memory, asked: "--memory")
            try client.call(.setMemory, ["bytes": JSONValue(size.bytes)])
        }
        for text in disk {
            let (number, value) = try Self.pair(text, of: "--disk")
            let size = try RunSettings.size(value, asked: "--disk \(text)")
            try client.call(.resizeDisk, ["disk": JSONValue(number), "bytes": JSONValue(size.bytes)])
        }
        for text in link {
            let (number, value) = try Self.pair(text, of: "--link")
            guard ["up", "down"].contains(value) else { throw Self.malformed("--link", text) }
            try client.call(.setLink, ["card": JSONValue(number), "up": .boolean(value == "up")])
        }
    }

    private static func pair(_ text: String, of option: String) throws(AerieError) -> (Int, String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[0]), number >= 0 else { throw malformed(option, text) }
        return (number, String(parts[1]))
    }

    private static func malformed(_ option: String, _ text: String) -> AerieError {
        AerieError(
            .usage, asked: "\(option) \(text)", found: "it has another form",
            advice: "use NUMBER=\(option == "--disk" ? "SIZE" : "up or NUMBER=down")")
    }
}
