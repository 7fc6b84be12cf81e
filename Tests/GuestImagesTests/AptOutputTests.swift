import Testing

@testable import GuestImages

@Suite struct AptOutputTests {
    @Test func aSimulationNamesPackagesInOrderWithTheirFiles() {
        let packages = AptOutput.simulatedPackages([
            "Reading package lists...",
            "Inst base-files (13.8 Debian:13.1/stable [riscv64])",
            "Inst libattr1:riscv64 [1:2.5.1] (1:2.5.2-3 Debian:13.1/stable [riscv64]) []",
            "Inst ca-certificates (20250419 Debian:13.1/stable [all])",
            "Conf base-files (13.8 Debian:13.1/stable [riscv64])",
        ])
        #expect(
            packages.map(\.fileName) == [
                "base-files_13.8_riscv64.deb", "libattr1_1%3a2.5.2-3_riscv64.deb", "ca-certificates_20250419_all.deb",
            ])
        #expect(packages[1] == AptOutput.Package(name: "libattr1", version: "1:2.5.2-3", architecture: "riscv64"))
    }

    @Test func theDownloadIsTheSumOfWhatIsMissing() {
        let lines = [
            "'http://m.example/a_1_all.deb' a_1_all.deb 1000 SHA256:00",
            "'http://m.example/b.deb' b_2_all.deb 234 MD5Sum:1",
            "nonsense 12 34",
        ]
        #expect(AptOutput.downloadSize(lines) == 1234)
    }

    @Test(arguments: [
        ("dlstatus:3:12.2926:Retrieving file 3 of 5", 12.2926), ("dlstatus:1:0.0000:x", 0), ("dlstatus:9:140:x", 100),
    ])
    func progressIsReadFromTheStatusDescriptor(line: String, percent: Double) {
        #expect(AptOutput.downloadPercent(line) == percent)
    }

    @Test(arguments: ["dlstatus:3:nan:x", "pmstatus:a:12.0:x", "dlstatus:3", "", "dlstatus:3:abc:x"])
    func whatIsNoProgressIsIgnored(line: String) {
        #expect(AptOutput.downloadPercent(line) == nil)
    }

    @Test func theItemIsThePackageOfAGetLine() {
        let line = "Get:3 http://m.example/debian trixie/main riscv64 libc6 riscv64 2.41-12 [2470 kB]"
        #expect(AptOutput.downloadedItem(line) == "libc6")
        #expect(AptOutput.downloadedItem("Fetched 9526 kB in 2s (4431 kB/s)") == nil)
    }

    @Test(arguments: [
        ("E: Unable to locate package nonsense", ImageError.Kind.usage, "Unable to locate package nonsense"),
        (
            "Building dependency tree...\nE: Unable to locate package apt\nE: Unable to locate package mount", .usage,
            "it has no packages for this architecture; choose another suite"
        ),
        ("E: Package 'x' has no installation candidate", .usage, "check the package's name"),
        ("Err:1 http://m x InRelease\n  Temporary failure resolving 'm'", .unavailable, "cannot be reached"),
        ("E: The repository 'http://m x Release' does not have a Release file.", .usage, "no such suite"),
        ("W: Skipping, since repository doesn't support architecture 'riscv64'", .usage, "no packages for this"),
        ("E: The following signatures couldn't be verified: NO_PUBKEY 12", .unavailable, "debian-archive-keyring"),
        ("E: You don't have enough free space in /x/archives/.", .unavailable, "the disk is full"),
        (
            "E: Failed to fetch http://m/Packages.xz  File has unexpected size (1 != 2). Mirror sync in progress?",
            .unavailable, "is being updated"
        ),
        ("E: something new", .unavailable, "something new"),
    ])
    func everyFailureOfAptHasOneLineThatSaysWhatToDo(output: String, kind: ImageError.Kind, part: String) {
        let error = AptOutput.failure("suite x of http://m", output.split(separator: "\n").map(String.init))
        #expect(error.kind == kind)
        #expect(error.message.hasPrefix("suite x of http://m: "))
        #expect(error.message.contains(part))
        #expect(!error.message.contains("\n"))
        #expect(error.detail == output)
    }

    @Test func onlySettingsOfTheNetworkAreTakenFromTheHost() {
        #expect(AptArchive.isNetworkSetting("Acquire::http::Proxy \"http://p.example:3128\";"))
        #expect(AptArchive.isNetworkSetting("Acquire::Retries \"5\";"))
        #expect(!AptArchive.isNetworkSetting("APT::Update::Post-Invoke:: \"rm -f x\";"))
        #expect(!AptArchive.isNetworkSetting("Acquire::AllowInsecureRepositories \"1\";"))
        #expect(!AptArchive.isNetworkSetting("Dir::Etc::trusted \"x\";"))
    }
}
