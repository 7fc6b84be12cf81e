import GuestToolchain
import Foundation
import TestSupport
import Testing

/// Builds that do not come to their end, by the built program on real packages.
@Suite(
    "Image builds that fail", .serialized,
    .enabled("needs a Debian mirror and the tools that build an image") { DebianImage.obstacle == nil })
struct FailedBuildTests {
    private let aerie: AerieProcess

    init() throws {
        aerie = try AerieProcess()
    }

    /// Every case needs the packages of the usual image.
    private static let cache = DebianImage.usual.packageCache

    private var data: String { "\(aerie.directory.url.path)/data" }
    private var environment: [String: String] {
        aerie.environment.merging(["XDG_CACHE_HOME": Self.cache, "XDG_DATA_HOME": data]) { $1 }
    }

    /// Every file of the store, but the locks, which always stay.
    private var leftovers: [String] {
        let names = FileManager.default.enumerator(atPath: data)?.compactMap { $0 as? String } ?? []
        var isDirectory: ObjCBool = false
        return names.filter {
            !$0.hasSuffix(".lock") && FileManager.default.fileExists(atPath: "\(data)/\($0)", isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }
    }

    /// Programs that a build of this test has started: they inherit its environment.
    private var toolsAtWork: [String] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return processes.filter { process in
            guard Int(process) != nil,
                let environment = FileManager.default.contents(atPath: "/proc/\(process)/environ")
            else { return false }
            return environment.range(of: Data("XDG_DATA_HOME=\(data)".utf8)) != nil
        }
    }

    /// Ends the test when Debian's mirror is to blame: it cannot be reached, or is just being updated.
    private func requireMirror(_ messages: String) throws {
        guard let message = messages.split(separator: "\n").first(where: { $0.contains(": the mirror ") }) else {
            return
        }
        try Test.cancel("\(message)")
    }

    // MARK: Full disks

    /// Runs a build with a small file system of its own mounted at `directory`, and prints what is left on it.
    private func buildOnSmallDisk(_ directory: String, mebibytes: Int) throws -> AerieResult {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let script = """
            mount -t tmpfs -o size=\(mebibytes)m none "$1" || exit 99
            "$2" image build debian
            code=$?
            find "$1" -type f ! -name '*.lock'
            exit $code
            """
        let variables = environment.merging(
            directory.hasPrefix(data) ? ["XDG_DATA_HOME": directory] : ["XDG_CACHE_HOME": directory],
            uniquingKeysWith: { $1 })
        let output = Pipe()
        let error = try aerie.directory.file("error", Data())
        let errorFile = try aerie.directory.writer(error)
        let build = try ChildProgram(
            "/usr/bin/unshare",
            (getuid() == 0 ? ["-m"] : ["-Urm"]) + ["/bin/sh", "-c", script, "sh", directory, AerieProcess.executable],
            environment: variables, output: output.fileHandleForWriting.fileDescriptor,
            error: errorFile.fileDescriptor)
        try output.fileHandleForWriting.close()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        return AerieResult(
            code: try build.awaitEnd().code, output: String(decoding: bytes, as: UTF8.self),
            error: try String(contentsOfFile: error, encoding: .utf8))
    }

    private static let canMount: Bool = {
        let mount = (getuid() == 0 ? ["-m"] : ["-Urm"]) + ["mount", "-t", "tmpfs", "none", "/mnt"]
        return (try? HostProgram.run("/usr/bin/unshare", mount))?.status == 0
    }()

    @Test(
        "A full disk ends a build with one line, and leaves nothing there",
        .enabled("this host lets nobody mount in a name space of their own") { canMount })
    func fullDisk() throws {
        for mebibytes in [20, 180] {
            let result = try buildOnSmallDisk("\(data)/\(mebibytes)", mebibytes: mebibytes)
            try requireMirror(result.error)
            #expect(result.code == 69, "\(result.error)")
            #expect(result.output == "")
            let lines = result.error.split(separator: "\n").filter { $0.hasPrefix("aerie: ") }
            #expect(lines.count == 1)
            #expect(lines.first?.contains("free some space") == true, "\(result.error)")
        }
    }

    @Test(
        "A full cache ends a build with one line",
        .enabled("this host lets nobody mount in a name space of their own") { canMount })
    func fullCache() throws {
        let result = try buildOnSmallDisk("\(aerie.directory.url.path)/small", mebibytes: 4)
        try requireMirror(result.error)
        #expect(result.code == 69, "\(result.error)")
        let lines = result.error.split(separator: "\n").filter { $0.hasPrefix("aerie: ") }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("the disk is full") == true, "\(result.error)")
        #expect(leftovers == [])
    }

    // MARK: Interruptions

    @Test("Under a limit on the size of files, a build says that the limit is the reason")
    func fileSizeLimit() throws {
        let script = "ulimit -f 2000; exec \"$0\" \"$@\""
        let result = try aerie.run(
            ["image", "build", "debian"], environment: ["XDG_DATA_HOME": data],
            wrapper: ["/bin/sh", "-c", script])
        try requireMirror(result.error)
        #expect(result.code == 69, "\(result.error)")
        #expect(
            result.error.hasSuffix(": the limit on the size of files (ulimit -f) is 1000K; raise it\n"),
            "\(result.error)")
        #expect(leftovers == [])
    }

    private final class RunningBuild {
        private let program: ChildProgram
        private let error: String

        init(_ environment: [String: String], in directory: TemporaryDirectory) throws {
            error = try directory.file("error-\(UUID().uuidString)", Data())
            let file = try directory.writer(error)
            program = try ChildProgram(
                AerieProcess.executable, ["image", "build", "debian"], environment: environment, output: nil,
                error: file.fileDescriptor)
        }

        var messages: String { (try? String(contentsOfFile: error, encoding: .utf8)) ?? "" }

        func waitFor(_ phase: String) -> Bool {
            while program.isRunning {
                if messages.contains(phase) { return true }
                usleep(50_000)
            }
            return false
        }

        func end(_ signal: Int32) throws -> ChildProgram.End {
            program.send(signal)
            return try program.awaitEnd()
        }

        func result() throws -> ChildProgram.End { try program.awaitEnd() }
    }

    @Test("A build that is interrupted anywhere leaves no image and no tool at work, and the next one succeeds")
    func interrupted() throws {
        let cases: [(signal: Int32, phase: String)] = [
            (SIGINT, "Reading package lists"), (SIGTERM, "Unpacking packages"),
            (SIGKILL, "Configuring packages"),
        ]
        for (signal, phase) in cases {
            let build = try RunningBuild(environment, in: aerie.directory)
            guard build.waitFor(phase) else {
                try requireMirror(build.messages)
                Issue.record("the build ended before \(phase): \(build.messages)")
                return
            }
            usleep(UInt32.random(in: 0..<800_000))
            #expect(try build.end(signal) == .killed(by: signal), "\(phase): \(build.messages)")
            if signal != SIGKILL {
                #expect(build.messages.contains("aerie: building an image: interrupted; nothing was stored\n"))
                #expect(leftovers == [], "\(phase)")
                // A process that was ended may take a moment to go.
                #expect(Patience.wait { toolsAtWork == [] }, "\(phase)")
            }
            #expect(try aerie.run(["image", "ls", "--format", "json"], environment: environment).output == "[\n\n]\n")
        }
        // What was killed left its rubbish, which the next build takes away.
        #expect(leftovers != [])
        let build = try RunningBuild(environment, in: aerie.directory)
        let end = try build.result()
        try requireMirror(build.messages)
        #expect(end == .exited(0), "\(build.messages)")
        let building = try FileManager.default.contentsOfDirectory(atPath: "\(data)/aerie/images/building")
        #expect(building.allSatisfy { $0.hasSuffix(".lock") })
        #expect(try aerie.run(["image", "inspect", "debian"], environment: environment).code == 0)
    }
}
