import GuestToolchain
import Testing

@testable import GuestImages

@Suite struct DpkgDatabaseTests {
    private func package(_ control: String, _ scripts: [String: String] = [:]) -> DpkgDatabase.Package {
        DpkgDatabase.Package(
            control: ControlFile.parse(control)[0], scripts: scripts.mapValues { Array($0.utf8) },
            paths: ["", "etc", "etc/tool.conf"])
    }

    private let control = """
        Package: libtool1
        Version: 1:2-3
        Architecture: riscv64
        Multi-Arch: same
        Description: a tool
         with a long
         .
         description
        """

    @Test func aPackageWithoutScriptsIsInstalledAndOneWithPostinstUnpacked() {
        let database = DpkgDatabase()
        let plain = database.statusParagraph(package(control), [:])
        #expect(
            plain == """
                Package: libtool1
                Status: install ok installed
                Version: 1:2-3
                Architecture: riscv64
                Multi-Arch: same
                Description: a tool
                 with a long
                 .
                 description

                """)
        let scripted = database.statusParagraph(package(control, ["postinst": "#!/bin/sh"]), [:])
        #expect(scripted.contains("\nStatus: install ok unpacked\n"))
    }

    @Test func configurationFilesAreListedWithTheirSums() {
        let tool = package(control, ["conffiles": "/etc/tool.conf\nremove-on-upgrade /etc/old\n"])
        let text = DpkgDatabase().statusParagraph(tool, ["/etc/tool.conf": "0123"])
        #expect(text.hasSuffix("\nConffiles:\n /etc/tool.conf 0123\n"))
    }

    @Test func triggersAreIndexedByPathAndByName() {
        var database = DpkgDatabase()
        database.add(package("Package: libc-bin\nVersion: 1", ["triggers": "# x\ninterest-noawait ldconfig\n"]))
        database.add(package("Package: man\nVersion: 1", ["triggers": "interest /usr/share/man\nactivate ldconfig\n"]))
        database.add(package("Package: bad\nVersion: 1", ["triggers": "interest ../escape\n"]))
        #expect(
            database.triggers() == ["File": "/usr/share/man man\n", "Unincorp": "", "ldconfig": "libc-bin/noawait\n"])
    }

    @Test func theDatabaseIsWrittenWhereDpkgLooksForIt() throws {
        let scratch = TemporaryDirectory()
        let tree = try RootTree(directory: "\(scratch.path)/root")
        var database = DpkgDatabase()
        database.add(package(control, ["postinst": "#!/bin/sh\n", "md5sums": "00  etc/x\n"]))
        try database.write(to: tree, digests: [:])
        #expect(tree.text("var/lib/dpkg/info/format") == "1\n")
        #expect(tree.text("var/lib/dpkg/info/libtool1:riscv64.list") == "/.\n/etc\n/etc/tool.conf\n")
        #expect(tree.text("var/lib/dpkg/info/libtool1:riscv64.md5sums") == "00  etc/x\n")
        #expect(
            tree.attributes["var/lib/dpkg/info/libtool1:riscv64.postinst"] == RootTree.Attributes(mode: 0o755))
        #expect(tree.text("var/lib/dpkg/status")?.hasPrefix("Package: libtool1\nStatus: install ok unpacked\n") == true)
    }

    @Test func preinstScriptsThatOnlyHelpUpgradesAreNotRun() {
        let helper = "#!/bin/sh\nset -e\ndpkg-maintscript-helper rm_conffile /etc/x 1\\~ -- \"$@\"\nexit 0\n"
        #expect(!package(control, ["preinst": helper]).needsPreparation)
        #expect(package(control, ["preinst": helper + "dpkg-divert --add /x\n"]).needsPreparation)
        #expect(!package(control).needsPreparation)
    }
}
