import Foundation

/// Debian's image for the tests that boot it, built once by the program under test and kept beside the build.
enum DebianImage {
    /// Why there is no image; nil when there is one.
    static let obstacle: String? = prepare()

    static let environment: [String: String] = {
        var environment = ProcessInfo.processInfo.environment
        environment["XDG_DATA_HOME"] = data.path
        environment["SWIFT_BACKTRACE"] = "enable=no"
        return environment
    }()

    /// Paths of the image's files, from its manifest's place.
    static func file(_ name: String) throws -> String {
        let objects = data.appending(path: "aerie/images/objects")
        let found = try FileManager.default.contentsOfDirectory(at: objects, includingPropertiesForKeys: nil)
            .map { $0.appending(path: name).path }
        return found.first(where: FileManager.default.fileExists) ?? ""
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// Where what is built here lies, and what tests keep.
    static let buildDirectory = root.appending(path: ".build")
    private static let data = buildDirectory.appending(path: "test-images")

    private static func prepare() -> String? {
        let known = (try? run(["image", "inspect", "debian"]))?.code == 0
        if known, !isOutdated { return nil }
        do {
            if known { _ = try run(["image", "rm", "debian"]) }
            let result = try run(["image", "build", "debian"])
            // Without a network or a tool there is nothing to boot; anything else is a defect that the tests must show.
            return result.code == 69 ? result.error : nil
        } catch {
            return "\(error)"
        }
    }

    /// The builder changed after the image was made.
    private static var isOutdated: Bool {
        func changed(_ path: String) -> Date {
            (try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date) ?? .distantFuture
        }
        let sources = root.appending(path: "Sources/GuestImages").path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: sources)) ?? []
        guard let made = try? file("manifest.json"), !made.isEmpty else { return true }
        return names.contains { changed("\(sources)/\($0)") > changed(made) }
    }

    static func run(_ arguments: [String], input: String = "") throws -> AerieResult {
        try AerieProcess().run(arguments, input: input, environment: environment)
    }
}
