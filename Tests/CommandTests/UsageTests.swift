import GuestToolchain
import Foundation
import Testing

@Suite("What is asked wrongly")
struct UsageTests {
    private let aerie: AerieProcess
    private let kernel: String

    init() throws {
        aerie = try AerieProcess()
        kernel = try aerie.directory.file("kernel", GuestProgram.powerOff)
    }

    /// Runs `aerie` and expects one line of error with the code, naming what was asked.
    private func expect(
        _ code: Int32, _ arguments: [String], saying texts: [String], location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try aerie.run(arguments)
        #expect(result.code == code, "\(result.error)", sourceLocation: location)
        #expect(result.output == "", sourceLocation: location)
        #expect(result.error.hasPrefix("aerie: "), "\(result.error)", sourceLocation: location)
        #expect(result.error.split(separator: "\n").count == 1, "\(result.error)", sourceLocation: location)
        for text in texts { #expect(result.error.contains(text), "\(result.error)", sourceLocation: location) }
    }

    @Test("Unknown verbs, options and arguments are usage errors")
    func unknown() throws {
        try expect(64, ["run", "--frobnicate"], saying: ["--frobnicate"])
        try expect(64, ["image", "inspect", "debian", "ubuntu"], saying: ["ubuntu"])
        try expect(64, ["run", "--cpus"], saying: ["--cpus"])
        try expect(64, ["image", "rm"], saying: ["image"])
    }

    @Test("The advice for wrong words names the help of the verb that they follow")
    func helpOfTheVerb() throws {
        let lines = [
            (["run", "--zzz"], "run: unknown option '--zzz'; see 'aerie help run'"),
            (["run", "--cpus"], "run: missing value for '--cpus <n>'; see 'aerie help run'"),
            (["image", "rm"], "image rm: missing expected argument '<image> ...'; see 'aerie help image rm'"),
            (["doctor", "now"], "doctor: unexpected argument 'now'; see 'aerie help doctor'"),
            (["--zzz"], "unknown option '--zzz'; see 'aerie help'"),
        ]
        for (arguments, line) in lines {
            let result = try aerie.run(arguments)
            #expect(result.code == 64)
            #expect(result.error == "aerie: \(line)\n")
        }
    }

    @Test("An unknown verb is answered with the one that it is like, or with all of them")
    func unknownVerbs() throws {
        let lines = [
            (["rnu", "debian"], "rnu: 'rnu' is not a verb; did you mean 'run'?"),
            (["image", "isnpect", "x"], "image isnpect: 'isnpect' is not a verb; did you mean 'inspect'?"),
            (
                ["frobnicate"],
                "frobnicate: 'frobnicate' is not a verb; use one of run, create, start, stop, kill, restart, rm, pause, resume, rename, ps, inspect, stats, logs, wait, attach, exec, cp, ssh-config, set, snapshot, restore, fork, clone, migrate, receive, up, down, generate, image, disk, doctor"
            ),
        ]
        for (arguments, line) in lines {
            let result = try aerie.run(arguments)
            #expect(result.code == 64)
            #expect(result.error == "aerie: \(line)\n")
        }
    }

    @Test("Of an option that is given twice, the last one counts, as with podman")
    func repeatedOptions() throws {
        try expect(64, ["run", "--firmware", kernel, "--cpus", "2", "--cpus", "many"], saying: ["--cpus: 'many'"])
        let result = try aerie.run(["run", "--memory", "16M", "--firmware", "absent", "--firmware", kernel])
        #expect(result.code == 0, "\(result.error)")
    }

    @Test("Help for a word that is not a verb is a usage error that lists the verbs")
    func helpForNothing() throws {
        try expect(
            64, ["help", "bogus"],
            saying: [
                "help bogus", "'bogus' is not a verb",
                "run, create, start, stop, kill, restart, rm, pause, resume, rename, ps, inspect, stats, logs, wait, attach, exec, cp, ssh-config, set, snapshot, restore, fork, clone, migrate, receive, up, down, generate, image, disk, doctor",
            ])
        try expect(64, ["help", "image", "bogus"], saying: ["help image bogus", "'bogus'", "build"])
        try expect(64, ["help", "run", "debian"], saying: ["help run debian", "'debian' is not a verb"])
    }

    @Test("An unknown option is answered with a suggestion only when one is near")
    func suggestions() throws {
        for (option, suggestion) in [("--memroy", "--memory"), ("--kernal", "--kernel")] {
            try expect(
                64, ["run", option, "1"],
                saying: ["unknown option '\(option)'; did you mean '\(suggestion)'? see 'aerie help run'"])
        }
        for option in ["--bogus", "--disc9", "--zzz"] {
            try expect(64, ["run", option], saying: ["aerie: run: unknown option '\(option)'; see 'aerie help run'"])
        }
    }

    @Test("Words after the image are the guest's command, with their options; a wrong option before it is aerie's")
    func commandWords() throws {
        // An image that nobody can build shows that the words before it were understood.
        for words in [
            ["ls", "-l", "/"], ["--", "ls", "-l"], ["grep", "--cpus", "many"], ["sh", "-c", "exit 3", "--"],
        ] {
            try expect(64, ["run", "--cpus", "2", "plan9"] + words, saying: ["plan9", "debian"])
        }
        try expect(64, ["run", "plan9", "--cpus", "many", "ls"], saying: ["--cpus", "'many'"])
        try expect(64, ["run", "--config", "absent", "--cpus", "many", "ls"], saying: ["--cpus", "'many'"])
        try expect(64, ["run", "plan9", "-l", "ls"], saying: ["unknown option '-l'"])
    }

    @Test("A guest with nothing to boot is a usage error")
    func nothingToBoot() throws {
        try expect(64, ["run"], saying: ["nothing to boot"])
        try expect(64, ["run", "--initrd", kernel], saying: ["nothing to boot"])
        try expect(64, ["run", "--firmware", kernel, "--initrd", kernel], saying: ["--kernel"])
    }

    @Test("A number of processors outside 1 to 64 is a usage error", arguments: ["0", "-1", "65", "1.5", "many", ""])
    func cpus(value: String) throws {
        try expect(64, ["run", "--kernel", kernel, "--cpus", value], saying: ["--cpus", "'\(value)'", "1 to 64"])
    }

    @Test(
        "Sizes that are none are usage errors that give the range",
        arguments: ["0", "0M", "-512M", "1.5G", "1T", "lots", "", "9999999999999G"])
    func sizes(value: String) throws {
        try expect(
            64, ["run", "--kernel", kernel, "--memory", value],
            saying: ["--memory: '\(value)' is not a valid size; ", ", from 1M to 1024G, such as 512M"])
        try expect(
            64, ["run", "--kernel", kernel, "--code-cache", value],
            saying: ["--code-cache: '\(value)' is not a valid size; ", ", from 4M to 1G, such as 512M"])
    }

    @Test("Room for code is 4M to 1G")
    func codeCache() throws {
        for value in ["1M", "4194303", "1025M"] {
            try expect(
                64, ["run", "--kernel", kernel, "--code-cache", value], saying: ["--code-cache", "4M to 1024M"])
        }
        try expect(64, ["run", "--kernel", kernel, "--code-cache", "much"], saying: ["--code-cache", "'much'"])
    }

    @Test("Memory beyond what a machine can have is a usage error, beyond what the host has an unavailable one")
    func hugeMemory() throws {
        try expect(64, ["run", "--kernel", kernel, "--memory", "1025G"], saying: ["--memory 1025G", "1024G"])
        try expect(64, ["run", "--kernel", kernel, "--memory", "4K"], saying: ["--memory 4K", "1M"])
        try expect(64, ["run", "--kernel", kernel, "--memory", "1048577"], saying: ["--memory 1048577", "4K"])
        try expect(69, ["run", "--kernel", kernel, "--memory", "1024G"], saying: ["--memory 1024G", "this host has"])
    }

    @Test("Engines and architectures that this build lacks are unavailable, unknown ones are usage errors")
    func engines() throws {
        try expect(
            69, ["run", "--kernel", kernel, "--engine", "kvm"], saying: ["--engine kvm", "this one is riscv64"])
        try expect(64, ["run", "--kernel", kernel, "--engine", "magic"], saying: ["--engine", "'magic'"])
        try expect(69, ["run", "--kernel", kernel, "--arch", "aarch64"], saying: ["--arch aarch64", "riscv64"])
        try expect(64, ["run", "--kernel", kernel, "--arch", "z80"], saying: ["--arch", "'z80'"])
    }

    @Test("Disks are checked before anything starts")
    func disks() throws {
        let run = ["run", "--kernel", kernel]
        try expect(65, run + ["--disk", "absent.img"], saying: ["--disk absent.img", "No such file"])
        try expect(65, run + ["--disk", aerie.directory.url.path], saying: ["directory"])
        try expect(64, run + ["--disk", "\(kernel),colour=red"], saying: ["colour=red"])
        try expect(64, run + ["--disk", "\(kernel),format=vmdk"], saying: ["'vmdk'", "format=qcow2"])
        try expect(64, run + ["--disk", "\(kernel),cache=some"], saying: ["'some'", "cache=writeback"])
        try expect(69, run + ["--disk", "\(kernel),cache=none,format=qcow2"], saying: ["cache=none", "qcow2 image"])
        try expect(64, run + ["--disk", "\(kernel),rate=10MB"], saying: ["'10MB' is not a valid", "rate=500iops"])
        try expect(64, run + ["--disk", "\(kernel),rate=100"], saying: ["the rate of disk", "1K to 1024G"])
        try expect(64, run + ["--disk", "\(kernel),rate=0iops"], saying: ["the rate of disk", "1 to 1000000000"])
        let disks = (0..<33).flatMap { _ in ["--disk", "\(kernel),readonly"] }
        try expect(64, run + disks, saying: ["33 disks", "at most 32"])
        try expect(
            64, run + disks[..<14] + ["--console", "virtio", "--network", "none"],
            saying: ["7 disks: ", "slots have room for 6 of them; use --transport pci"])
        try expect(64, run + ["--interrupts", "gic"], saying: ["--interrupts: 'gic' is not known", "plic, aia"])
        try expect(64, run + ["--overlay", "changes"], saying: ["--overlay changes", "no image"])
        try expect(64, run + ["--disk-size", "4G"], saying: ["--disk-size 4G", "no image"])
        try expect(64, run + ["--disk-size", "4097"], saying: ["--disk-size", "blocks of 4K"])
        try expect(64, run + ["--disk", "\(kernel),serial=ABCDEFGHIJKLMNOPQRSTU"], saying: ["serial"])
        try expect(64, run + ["--read-only"], saying: ["--read-only", "no disk"])
    }

    @Test("Flash banks are checked before anything starts")
    func flash() throws {
        try expect(65, ["run", "--flash", "absent.fd"], saying: ["--flash absent.fd", "No such file"])
        try expect(64, ["run", "--flash", "\(kernel),serial=1"], saying: ["'serial=1' is not known"])
        try expect(65, ["run", "--flash", kernel], saying: ["--flash", "a flash bank 33554432", "add ',readonly'"])
        try expect(
            69, ["run", "--arch", "x86_64", "--kernel", kernel, "--flash", kernel],
            saying: ["--flash: the x86_64 machine has no flash banks", "--firmware"])
    }

    @Test("An argument that is not UTF-8 is a usage error and opens no other file", arguments: ["aerie", "aerie-vm"])
    func malformedArguments(program: String) throws {
        // The name that a repair of the bytes would give.
        _ = try aerie.directory.file("kernel-\u{FFFD}", GuestProgram.fail42)
        let verb = program == "aerie" ? "run" : ""
        let script = "exec \"$0\" \(verb) --firmware \"$(printf 'kernel-\\377')\""
        let result = try aerie.run([], program: program, wrapper: ["/bin/sh", "-c", script])
        #expect(result.code == 64)
        #expect(
            result.error == "\(program): argument \(verb.isEmpty ? 2 : 3): 'kernel-\u{FFFD}' is not valid UTF-8; "
                + "rename the file, or give a link to it\n")
    }

    @Test("A directory of the store whose name is not UTF-8 is a usage error")
    func malformedEnvironment() throws {
        let script = "XDG_DATA_HOME=\"$(printf '/tmp/data-\\377')\" exec \"$0\" image ls"
        let result = try aerie.run([], wrapper: ["/bin/sh", "-c", script])
        #expect(result.code == 64, "\(result.error)")
        #expect(result.error.contains("is not valid UTF-8; set XDG_DATA_HOME"), "\(result.error)")
        #expect(result.output == "")
    }

    @Test("Under a limit on the size of files the error names the limit", arguments: ["aerie", "aerie-vm"])
    func fileSizeLimit(program: String) throws {
        let verb = program == "aerie" ? "run" : ""
        // A sparse file of 64 MiB, to be larger than the memory and smaller than the room for code.
        let disk = try aerie.directory.file("disk", Data(count: 512))
        #expect(truncate(disk, 64 << 20) == 0)
        let machine = ["--firmware", kernel, "--memory", "16M"]
        let cases = [
            // Blocks of the shell have 512 bytes.
            (100, machine, "--memory 16M", "50K"),
            (
                100_000, machine + ["--code-cache", "128M"], "the translator's code cache of 128M (--code-cache)",
                "50000K"
            ),
            (
                100_000, machine + ["--code-cache", "4M", "--disk", disk, "--read-only"],
                "the file for the changes of a copy-on-write disk of 64M", "50000K"
            ),
        ]
        for (blocks, arguments, subject, limit) in cases {
            let script = "ulimit -f \(blocks); exec \"$0\" \(verb) \"$@\""
            let result = try aerie.run(arguments, program: program, wrapper: ["/bin/sh", "-c", script])
            #expect(result.code == 69)
            #expect(
                result.error
                    == "\(program): \(subject): the limit on the size of files (ulimit -f) is \(limit); raise it\n")
        }
    }

    @Test("A disk that is given twice is a usage error that says so, unless nothing is written to it")
    func diskGivenTwice() throws {
        let disk = try aerie.directory.file("disk", Data(count: 4096))
        let link = aerie.directory.path("link")
        #expect(symlink(disk, link) == 0)
        let run = ["run", "--firmware", kernel, "--memory", "16M"]
        try expect(
            64, run + ["--disk", disk, "--disk", disk], saying: ["--disk \(disk): the machine has this disk already;"])
        try expect(
            64, run + ["--disk", "\(disk),readonly", "--disk", link],
            saying: ["--disk \(link): the machine has this disk already as \(disk); leave one out"])
        #expect(try aerie.run(run + ["--disk", "\(disk),readonly", "--disk", "\(link),readonly"]).code == 0)
    }

    @Test("A trace that cannot be written is named with the reason and a remedy")
    func badTrace() throws {
        try expect(
            65, ["run", "--firmware", kernel, "--memory", "16M", "--trace", "absent/trace"],
            saying: ["--trace absent/trace: No such file or directory; name a file in a directory that exists"])
    }

    @Test("A command needs an image to run in")
    func commands() throws {
        try expect(64, ["run", "--kernel", kernel, "--", "true"], saying: ["no image"])
    }

    @Test(
        "Image names that could be paths are usage errors", arguments: ["../debian", "/etc", "-x", "Debian", "debian:"])
    func imageNames(name: String) throws {
        let result = try aerie.run(["image", "inspect", "--", name])
        #expect(result.code == 64)
    }

    @Test("Only debian can be built")
    func otherImages() throws {
        try expect(64, ["image", "build", "plan9"], saying: ["plan9", "debian"])
        try expect(64, ["run", "plan9"], saying: ["plan9", "debian"])
    }
}

@Suite("Help, version and lists")
struct InformationTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    @Test("The version is printed and is no error")
    func version() throws {
        let result = try aerie.run(["--version"])
        #expect(result.code == 0)
        #expect(result.output == "aerie 0.1.0\n")
    }

    @Test(
        "The help of every verb shows an example",
        arguments: [
            ["run"], ["doctor"], ["image"], ["image", "build"], ["image", "ls"], ["image", "rm"], ["image", "inspect"],
            ["image", "prune"],
        ])
    func help(verb: [String]) throws {
        let result = try aerie.run(["help"] + verb)
        #expect(result.code == 0)
        #expect(result.output.contains("Example"))
        #expect(result.output.contains("\n  aerie \(verb.joined(separator: " "))"))
    }

    @Test(
        "The examples of a verb's help stand on lines of their own, none of which is wrapped",
        arguments: [["run"], ["doctor"], ["image", "build"], ["image", "ls"], ["image", "prune"]])
    func examples(verb: [String]) throws {
        let lines = try aerie.run(["help"] + verb).output.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("Example") })
        let examples = lines[(start + 1)...].prefix { !$0.isEmpty }
        #expect(!examples.isEmpty)
        #expect(examples.allSatisfy { $0.hasPrefix("  ") && $0.contains("aerie ") }, "\(examples)")
    }

    @Test("The help of run shows the command without a '--', and every exit code")
    func helpOfRun() throws {
        let help = try aerie.run(["help", "run"]).output
        #expect(help.contains("USAGE: aerie run [<options>] [<image> [<command> ...]]\n"))
        for code in [64, 65, 69, 70, 74, 125, 137] {
            #expect(help.contains(" \(code) ") || help.contains("\n\(code) "))
        }
    }

    @Test("A new user has no images")
    func noImages() throws {
        #expect(try aerie.run(["image", "ls"]).output == "IMAGE  ARCH  SIZE  CREATED\n")
        #expect(try aerie.run(["image", "ls", "--format", "json"]).output == "[\n\n]\n")
        #expect(try aerie.run(["image", "prune"]).code == 0)
        #expect(try aerie.run(["image", "inspect", "debian"]).code == 64)
        #expect(try aerie.run(["image", "rm", "debian"]).code == 64)
    }

    @Test("The doctor gives every finding a status and a reason")
    func doctor() throws {
        struct Finding: Decodable {
            let name: String
            let status: String
            let reason: String
        }
        let result = try aerie.run(["doctor", "--format", "json"])
        let findings = try JSONDecoder().decode([Finding].self, from: Data(result.output.utf8))
        #expect(findings.allSatisfy { ["ok", "limited", "missing"].contains($0.status) && !$0.reason.isEmpty })
        #expect(findings.first { $0.name == "engine interpret" }?.status == "ok")
        #expect(result.code == (findings.contains { $0.status == "missing" } ? 69 : 0))
    }

    @Test("The doctor says what is missing and what to do")
    func doctorWithoutCache() throws {
        let result = try aerie.run(["doctor"], environment: ["XDG_CACHE_HOME": "/dev/null"])
        #expect(result.code == 69)
        #expect(result.output.contains("XDG_CACHE_HOME"))
    }

    @Test("A directory whose name is not UTF-8 is missing for the doctor, as it is for the store")
    func doctorWithMalformedDirectory() throws {
        let script = "XDG_DATA_HOME=\"$(printf '/tmp/data-\\377')\" exec \"$0\" doctor"
        let result = try aerie.run([], wrapper: ["/bin/sh", "-c", script])
        #expect(result.code == 69)
        #expect(
            result.output.contains("' is not valid UTF-8; set XDG_DATA_HOME to another directory"), "\(result.output)")
    }
}
