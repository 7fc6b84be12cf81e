internal import ControlAPI

/// A systemd user unit for a machine (systemd.service(5), systemd.syntax(7)).
///
/// The unit is of type `forking`: `aerie start` returns when the guest runs, and the machine's monitor stays as the only process whose parent
/// is systemd. A machine in the foreground (`aerie-vm --foreground`) would type the end of its standard input, which is empty in a unit, at the
/// guest's prompt, and the guest's shell would end.
struct SystemdUnit {
    /// The absolute path of `aerie`.
    let program: String
    let record: MachineRecord
    /// The words that make the machine at each start; nil for a machine that is kept.
    let arguments: [String]?
    let environment: [String: String]

    /// Where `aerie` finds machines, images and switches, as far as the user has moved them.
    private static let variables = ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"]
    /// Seconds beyond the guest's own time to power off.
    private static let stopReserve = 30

    var text: String {
        // An ID stays when the machine gets another name; a machine that is made anew has its name only.
        let reference = arguments == nil ? record.id : record.name
        var service = ["Type=forking"]
        if arguments != nil { service.append("WorkingDirectory=" + Self.escaped(record.workingDirectory)) }
        service += Self.variables.compactMap { name in
            environment[name].map { "Environment=" + Self.quoted("\(name)=\($0)", keepsDollars: true) }
        }
        if arguments != nil {
            // Left over after a crash of the host.
            service.append("ExecStartPre=-" + command(["rm", "--force", reference]))
        }
        service += [
            "ExecStart=" + command(arguments ?? ["start", reference]),
            "ExecStop=" + command(["stop", reference]),
            "Restart=\(restart)",
            // The guest has its time; after it, the machine is killed by 'stop' itself.
            "TimeoutStopSec=\(record.stopTimeout + Self.stopReserve)",
            "TimeoutStartSec=infinity",
            "KillMode=mixed",
        ]
        return """
            # Made by 'aerie generate systemd'.
            [Unit]
            Description=Virtual machine \(Self.escaped(record.name))

            [Service]
            \(service.joined(separator: "\n"))

            [Install]
            WantedBy=default.target

            """
    }

    /// The machine's monitor follows the policy by itself; systemd is for a monitor that is killed. A machine that is made anew has no
    /// policy of its own.
    private var restart: String {
        switch record.restart {
        case .no: "no"
        case .always: "always"
        case .onFailure(nil): "on-failure"
        // Its last failure is an end that the policy wants.
        case .onFailure: arguments == nil ? "on-abnormal" : "on-failure"
        }
    }

    private func command(_ words: [String]) -> String {
        ([Self.quoted(program, keepsDollars: true)] + words.map { Self.quoted($0, keepsDollars: false) })
            .joined(separator: " ")
    }

    // MARK: Quoting

    /// Specifiers begin with a percent sign.
    private static func escaped(_ text: String) -> String { String(text.flatMap { $0 == "%" ? "%%" : "\($0)" }) }

    /// A word in quotation marks where it needs them.
    ///
    /// - Parameter keepsDollars: systemd replaces no variables there; elsewhere, a dollar sign is written twice.
    private static func quoted(_ word: String, keepsDollars: Bool) -> String {
        var result = ""
        var isPlain = !word.isEmpty
        for scalar in word.unicodeScalars {
            switch scalar {
            case "%": result += "%%"
            case "$" where !keepsDollars: result += "$$"
            case "\\", "\"":
                result += "\\\(scalar)"
                isPlain = false
            case "\n":
                result += "\\n"
                isPlain = false
            case "\t":
                result += "\\t"
                isPlain = false
            case "\0"..<" ", "\u{7F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + String(repeating: "0", count: 2 - digits.utf8.count) + digits
                isPlain = false
            default:
                result.unicodeScalars.append(scalar)
                // A semicolon alone separates commands, and quotation marks would be taken away.
                if scalar == " " || scalar == "'" || scalar == ";" { isPlain = false }
            }
        }
        return isPlain ? result : "\"\(result)\""
    }
}
