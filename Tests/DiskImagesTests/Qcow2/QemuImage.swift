import DiskImages
import Foundation
import GuestToolchain

/// Debian's qemu-img and qemu-io, the reference for qcow2.
struct QemuImage {
    private static func run(_ program: String, _ arguments: [String]) throws -> HostProgram.Result {
        guard let path = HostProgram.find(program) else {
            throw HostProgram.Failure(description: "\(program) is missing; run scripts/bootstrap --tests")
        }
        return try HostProgram.run(path, arguments)
    }

    @discardableResult
    static func image(_ arguments: String...) throws -> String {
        let result = try run("qemu-img", arguments)
        let text = String(decoding: result.output, as: UTF8.self)
        guard result.status == 0 else {
            throw HostProgram.Failure(description: "qemu-img \(arguments.joined(separator: " ")): \(text)")
        }
        return text
    }

    /// Runs commands of qemu-io.
    static func io(_ path: String, _ commands: [String]) throws {
        let result = try run("qemu-io", ["-f", "qcow2"] + commands.flatMap { ["-c", $0] } + [path])
        let text = String(decoding: result.output, as: UTF8.self)
        guard result.status == 0, !text.contains("rror") else { throw HostProgram.Failure(description: text) }
    }

    /// What `qemu-img check` counts.
    struct Check: Decodable, Equatable {
        enum CodingKeys: String, CodingKey {
            case corruptions
            case leaks
            case errors = "check-errors"
        }

        var corruptions: Int?
        var leaks: Int?
        var errors: Int?

        static let clean = Check(corruptions: nil, leaks: nil, errors: 0)
    }

    static func check(_ path: String) throws -> Check {
        let result = try run("qemu-img", ["check", "-f", "qcow2", "--output", "json", path])
        // Lines for people stand before.
        let text = String(decoding: result.output, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).drop { $0 != "{" }
        return try JSONDecoder().decode(Check.self, from: Data(lines.joined(separator: "\n").utf8))
    }

    /// The disk's contents, as qemu-img reads them.
    static func contents(of path: String, in directory: TemporaryDirectory) throws -> [UInt8] {
        let raw = directory.path("contents-\(UUID().uuidString)")
        try image("convert", "-f", "qcow2", "-O", "raw", path, raw)
        defer { try? FileManager.default.removeItem(atPath: raw) }
        return try directory.contents(raw)
    }
}

/// Numbers for random operations, the same for a seed in every run.
struct RandomNumbers {
    private var state: UInt64

    init(seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next(below limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % limit
    }
}

extension TemporaryDirectory {
    /// A new qcow2 image of qemu-img's, opened here.
    func qcow2(_ name: String = "disk.qcow2", size: Int, _ options: String..., backing: String? = nil) throws -> String
    {
        let path = path(name)
        let base = backing.map { ["-b", $0, "-F", $0.hasSuffix(".qcow2") ? "qcow2" : "raw"] } ?? []
        let choice = options.isEmpty ? [] : ["-o", options.joined(separator: ",")]
        let arguments = ["create", "-f", "qcow2"] + choice + base + [path, "\(size)"]
        guard let program = HostProgram.find("qemu-img") else {
            throw HostProgram.Failure(description: "qemu-img is missing; run scripts/bootstrap --tests")
        }
        let result = try HostProgram.run(program, arguments)
        guard result.status == 0 else {
            throw HostProgram.Failure(description: String(decoding: result.output, as: UTF8.self))
        }
        return path
    }
}

func openQcow2(_ path: String, readOnly: Bool = false) throws -> Qcow2DiskImage {
    guard let image = try DiskImageChain.open(path: path, format: .qcow2, readOnly: readOnly) as? Qcow2DiskImage else {
        throw HostProgram.Failure(description: "\(path) was not opened as qcow2")
    }
    return image
}
