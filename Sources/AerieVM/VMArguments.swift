internal import Aerie
internal import HostSystem
internal import MachineSession

/// What `aerie-vm` is asked for: the settings of one machine.
enum VMArguments {
    case help
    case run(RunSettings)
    /// Runs a machine that is kept in this directory.
    case keep(directory: String, Keeping)

    /// How a machine that is kept stands to the program that starts it.
    enum Keeping: String {
        /// In the background; descriptor 3 hears of its start.
        case background
        /// As `background`, and ends when the other end of descriptor 3 is closed.
        case attended = "--attended"
        /// As `attended`; the machine's command comes through the guest's agent, not at the console.
        case attendedForCommand = "--attended-for-command"
        /// As `attendedForCommand`; its image's snapshot is made of it, and others boot with its code.
        case attendedForImage = "--attended-for-image"
        /// As `background`, with the memory of a machine that was received (`ArrivalDescriptors`).
        case arriving = "--arriving"
        /// As `background`, with the memory of the machine that it is a copy of (`ForkDescriptors`).
        case forked = "--forked"
        /// On this process's standard streams.
        case foreground = "--foreground"
    }

    static let helpText = """
        Runs one virtual machine in this process, its console on standard input and output.

        aerie-vm [--config FILE] [--SETTING VALUE]... [--FLAG]...
        aerie-vm --machine DIRECTORY [--foreground|--attended]

        Settings and flags are those of 'aerie run' but for images and their commands; see 'aerie help run'. FILE has \
        them as JSON, where options win; /dev/fd/N is a file that whoever starts this process has open. Exit codes are \
        those of 'aerie run'. With --machine, it runs a machine that 'aerie create' has made.
        """

    /// Reads arguments, without the program's name, and the file that they name.
    init(_ arguments: ArraySlice<String>) throws(AerieError) {
        var settings = RunSettings()
        var file: String?
        var rest = arguments
        if arguments.first == "--machine" {
            self = try Self.machine(arguments)
            return
        }
        while let argument = rest.popFirst() {
            if argument == "--help" || argument == "-h" {
                self = .help
                return
            }
            let (name, attached) = Self.split(argument)
            if name == "--config" {
                file = try Self.value(of: name, attached, &rest)
                continue
            }
            guard let setting = RunSetting.allCases.first(where: { "--\($0.rawValue)" == name }) else {
                throw AerieError(.usage, asked: argument, found: "it is not known", advice: "see 'aerie-vm --help'")
            }
            if case .flag = setting.kind {
                guard attached == nil else {
                    throw AerieError(.usage, asked: argument, found: "a flag has no value", advice: "leave it out")
                }
                settings.set(setting, to: true)
            } else {
                try settings.set(setting, to: try Self.value(of: name, attached, &rest), asked: name)
            }
        }
        if let file { settings = settings.over(try SettingsFile.read(file)) }
        if settings.image != nil || settings.command != nil {
            throw AerieError(
                .usage, asked: "an image", found: "aerie-vm boots kernels and firmware only",
                advice: "use 'aerie run'")
        }
        self = .run(settings)
    }

    private static func machine(_ arguments: ArraySlice<String>) throws(AerieError) -> VMArguments {
        let words = Array(arguments.dropFirst())
        guard let directory = words.first, words.count <= 2,
            let keeping = words.count == 1 ? .background : Keeping(rawValue: words[1])
        else {
            throw AerieError(
                .usage, asked: "--machine", found: "a directory stands behind it, and --foreground or --attended",
                advice: "see 'aerie-vm --help'")
        }
        return .keep(directory: directory, keeping)
    }

    /// `--name=value` or `--name`.
    private static func split(_ argument: String) -> (name: String, value: String?) {
        guard let (name, value) = argument.divided(at: "=") else { return (argument, nil) }
        return (name, value)
    }

    private static func value(
        of name: String, _ attached: String?, _ rest: inout ArraySlice<String>
    ) throws(AerieError) -> String {
        if let value = attached ?? rest.popFirst() { return value }
        throw AerieError(.usage, asked: name, found: "it has no value", advice: "give one")
    }
}
