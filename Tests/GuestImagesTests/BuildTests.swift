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
        let scratch = try ScratchDirectory()
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
            typing:
                "uname -m; dpkg --audit; echo audit=$?; apt-get --version | head -1\necho done $((6*7)); poweroff\n",
            console: { bytes in output.withLock { $0 += bytes } })
        let text = String(decoding: output.withLock { $0 }, as: UTF8.self)
        #expect(status == 0)
        #expect(text.contains("riscv64\r\naudit=0\r\napt "))
        #expect(text.contains("done 42\r\n"))
    }
}
