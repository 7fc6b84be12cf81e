import GuestToolchain
import Testing

@testable import GuestImages

/// What an image's init changes in it. That systemd starts with it takes a guest: see docs/running.md.
@Suite("Inits of images")
struct InitSystemTests {
    private let scratch = TemporaryDirectory()

    private func tree(_ initSystem: InitSystem) throws -> RootTree {
        let tree = try RootTree(directory: "\(scratch.path)/\(initSystem.rawValue)")
        try RootConfiguration.apply(
            to: tree, architecture: .riscv64, suite: "trixie", sources: PackageSources(mirror: "http://mirror.example"),
            initSystem: initSystem)
        return tree
    }

    @Test("An image without another init has programs that speak with ours, and no units")
    func ours() throws {
        let tree = try tree(.aerie)
        #expect(tree.contains("usr/local/sbin/poweroff"))
        #expect(!tree.contains("etc/systemd"))
        let script = try #require(tree.text("usr/lib/aerie/init"))
        #expect(script.contains(". /usr/lib/aerie/setup && agent ;;\n"))
    }

    @Test(
        "An image with systemd has units that systemd starts, and none of the programs that would stand before its own")
    func systemd() throws {
        let tree = try tree(.systemd)
        for name in ["poweroff", "reboot", "halt"] { #expect(!tree.contains("usr/local/sbin/\(name)")) }
        for unit in ["aerie-setup", "aerie-network", "aerie-console"] {
            let text = try #require(tree.text("etc/systemd/system/\(unit).service"))
            let start = try #require(text.split(separator: "\n").first { $0.hasPrefix("ExecStart=") })
            #expect(tree.contains(String(start.dropFirst("ExecStart=/".count))), "\(start)")
        }
        for (link, target) in GuestScripts.systemdLinks {
            let unit = target.split(separator: "/").last ?? ""
            #expect(link.hasSuffix(".wants/\(unit)"))
            #expect(tree.contains("etc/systemd/system/\(unit)"))
        }
    }

    @Test("The package systemd-sysv asks for systemd, too, and a package is named once")
    func packages() {
        var options = BuildOptions()
        #expect(options.effectiveInit == .aerie)
        #expect(options.allPackages == [])
        options.packages = ["curl", "systemd-sysv", "dbus"]
        #expect(options.effectiveInit == .systemd)
        #expect(options.allPackages == ["curl", "systemd-sysv", "dbus", "udev"])
        options = BuildOptions()
        options.initSystem = .systemd
        #expect(options.allPackages == ["systemd-sysv", "udev", "dbus"])
    }
}
