internal import ArgumentParser
internal import Foundation

struct SSHConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-config",
        abstract: "Print a configuration of ssh for a running guest.",
        discussion: """
            Example:
              aerie ssh-config web >>~/.ssh/config
              ssh web

            The connection passes through the guest's agent and needs no network. The guest needs openssh-server, and the public \
            key of the user who connects:
              aerie exec web sh -c 'apt-get update; apt-get install -y openssh-server'
              aerie exec web mkdir -p -m 700 /root/.ssh
              aerie exec -i web sh -c 'cat >>/root/.ssh/authorized_keys' <~/.ssh/id_ed25519.pub
            """)

    @Option(
        name: [.customShort("u", allowingJoined: true), .long],
        help: ArgumentHelp("The user in the guest (default: root).", valueName: "user"))
    var user = "root"

    @Option(help: ArgumentHelp("The name for ssh (default: the machine's).", valueName: "name"))
    var host: String?

    @OptionGroup var target: SSHTarget
    @OptionGroup var verbosity: VerbosityOptions

    @Argument(help: "The machine.")
    var name: String

    func run() throws {
        _ = try target.request()
        let host = self.host ?? name.split(separator: "/").last.map(String.init) ?? name
        guard !host.isEmpty, host.utf8.allSatisfy({ Self.isInName($0) }), !host.hasPrefix("-") else {
            throw AgentVerbError(
                .usage, asked: "ssh-config", found: "'\(host)' is not a valid host name for ssh",
                advice: "give one with --host")
        }
        guard !user.isEmpty, user.utf8.allSatisfy({ Self.isInName($0) }), !user.hasPrefix("-") else {
            throw AgentVerbError(.usage, asked: "--user", found: "'\(user)' is not a valid user name")
        }
        _ = try MachineEndpoints.agent(named: name)
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path
        // A machine's socket is found from any directory.
        let machine = name.contains("/") ? URL(filePath: name).path : name
        let words = [program, "ssh-proxy"] + target.words + [machine]
        print(
            """
            Host \(host)
              HostName \(host)
              User \(user)
              ProxyCommand \(words.map { Self.quoted($0) }.joined(separator: " "))
              # The bytes do not leave this host, and the keys of guests that are made anew change.
              StrictHostKeyChecking no
              UserKnownHostsFile /dev/null
              LogLevel ERROR
            """)
    }

    private static func isInName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")].contains(byte)
        }
    }

    /// A word for the shell that ssh starts, behind ssh's own expansion of `%`.
    static func quoted(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { isInName($0) || $0 == UInt8(ascii: "/") }
        let text = word.replacing("%", with: "%%")
        return plain ? text : "'" + text.replacing("'", with: "'\\''") + "'"
    }
}
