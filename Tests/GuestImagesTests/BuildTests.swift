import GuestToolchain
import FoundationEssentials
import Glibc
import GuestImages
import HostSystem
import Synchronization
import Testing

/// Whole builds: they need a Debian mirror, a minute or more, and QEMU in the place of Aerie's own machine.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["AERIE_TEST_IMAGE_BUILD"] != nil, "AERIE_TEST_IMAGE_BUILD is unset"),
    .enabled(if: QemuRunner.isInstalled, "qemu-system-riscv64 is not installed"), .serialized)
struct BuildTests {
    @Test func debianIsBuiltAndBootsToAShellThatWorks() async throws {
        let scratch = TemporaryDirectory()
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_DATA_HOME"] = scratch.path
        // The downloads are worth keeping between runs.
        let directories = try ImageDirectories(environment: environment)
        let store = ImageStore(directories: directories)
        let phases = Mutex<[BuildProgress.Phase]>([])
        let clock = ContinuousClock()
        let start = clock.now
        let times = Mutex<[String]>([])
        let image = try await DebianImageBuilder(store: store, options: BuildOptions(), environment: environment).build(
            progress: { step in
                phases.withLock { phases in
                    guard phases.last != step.phase else { return }
                    phases.append(step.phase)
                    times.withLock { $0.append("\(step.phase): \(clock.now - start)") }
                }
            },
            configure: QemuRunner.configure)
        print(times.withLock { $0 }.joined(separator: "\n"), "end \(clock.now - start)", image.allocatedSize)
        #expect(phases.withLock { $0 } == BuildProgress.Phase.allCases)
        #expect(store.list().map(\.identity) == [image.identity])
        #expect(image.manifest.packages.contains { $0.name == "apt" })

        let output = Mutex<[UInt8]>([])
        let status = try QemuRunner.boot(
            kernel: image.kernelPath, initrd: image.initrdPath, disk: "file=\(image.rootDiskPath),snapshot=on",
            commandLine: image.manifest.commandLine,
            typing: "uname -m; dpkg --audit; echo audit=$?; stat -c %U:%a /usr/bin/su; mount | grep -c ' / type ext4'; "
                + "ls /etc/ssl/certs | wc -l; apt-get --version | head -1\necho done $((6*7)); tty; poweroff\n",
            console: { bytes in output.withLock { $0 += bytes } })
        let text = String(decoding: output.withLock { $0 }, as: UTF8.self)
        if ProcessInfo.processInfo.environment["AERIE_TEST_SHOW"] != nil { print(text) }
        #expect(status == 0)
        #expect(text.contains("riscv64\r\naudit=0\r\nroot:4755\r\n1\r\n"))
        #expect(text.contains("done 42\r\n/dev/ttyS0\r\n"))
        #expect(text.contains("\r\napt 3."))
        #expect(try run("echo ran as $(id -un) in $PWD; exit 7", on: image) == (7, true))
        #expect(try run("echo ran as $(id -un) in $PWD", on: image, "aerie.overlay") == (0, true))
    }

    /// Runs a shell command in place of the shell; its status, and whether its output was seen.
    private func run(_ command: String, on image: StoredImage, _ words: String = "") throws -> (Int32, Bool) {
        let arguments = Data(Array("sh\0-c\0\(command)\0".utf8)).base64EncodedString()
        let output = Mutex<[UInt8]>([])
        let status = try QemuRunner.boot(
            kernel: image.kernelPath, initrd: image.initrdPath, disk: "file=\(image.rootDiskPath),snapshot=on",
            commandLine: "\(image.manifest.commandLine) aerie.command=\(arguments) \(words)",
            console: { bytes in output.withLock { $0 += bytes } })
        return (status, String(decoding: output.withLock { $0 }, as: UTF8.self).contains("ran as root in /root\r\n"))
    }
}
