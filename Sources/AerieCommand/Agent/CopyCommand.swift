internal import AgentClient
internal import ArgumentParser

struct CopyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp",
        abstract: "Copy files and directories between this host and a running guest.",
        usage: "aerie cp [<options>] <source> <destination>",
        discussion: """
            Examples:
              aerie cp site web:/srv
              aerie cp web:/var/log/syslog .
              aerie cp site/. web:/srv/site
              aerie cp web:/etc - | tar -t

            One side is NAME:PATH, the other a path of this host. A path of this host with a colon needs a slash before the colon \
            (./a:b). A copy goes into an existing directory, or gets the destination's name; SOURCE/. means the contents of a \
            directory. '-' is a tar stream on standard input, to be unpacked in the guest's directory, or on standard output.

            Modes, times, symbolic links, hard links and holes are kept. In the guest the files are root's, on this host the \
            caller's. From a guest come no devices and no set-user-id bits, and nothing is written through a symbolic link below the \
            destination. Exit codes: 1 when a file could not be copied, with a line that names it; 125 when the agent could not be \
            reached or the connection was lost.
            """)

    @Flag(name: [.customShort("L"), .long], help: "Copy the target of a source that is a symbolic link.")
    var followLink = false

    @OptionGroup var agent: AgentOptions
    @OptionGroup var verbosity: VerbosityOptions

    @Argument(help: "NAME:PATH, a path of this host, or -.")
    var source: String

    @Argument(help: "NAME:PATH, a path of this host, or -.")
    var destination: String

    func run() throws {
        let (from, to) = (CopyPlace(source), CopyPlace(destination))
        let copy = Copy(
            asked: "cp \(source) \(destination)", followsLink: followLink, wait: try agent.limit())
        switch (from, to) {
        case (.guest(let name, let path), .host(let target)): try copy.download(name, path, to: target)
        case (.guest(let name, let path), .stream): try copy.downloadStream(name, path)
        case (.host(let path), .guest(let name, let target)): try copy.upload(path, to: name, target)
        case (.stream, .guest(let name, let target)): try copy.uploadStream(to: name, target)
        case (.guest, .guest):
            throw AgentVerbError(
                .usage, asked: "cp", found: "both sides are in guests", advice: "copy to this host first")
        default:
            throw AgentVerbError(
                .usage, asked: "cp", found: "neither side is in a guest", advice: "give one side as NAME:PATH")
        }
    }
}
