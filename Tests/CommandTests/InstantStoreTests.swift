import Aerie
import ControlAPI
import Foundation
import GuestToolchain
import Testing

@testable import Runtime

/// The cache of images' snapshots, with files that no machine has made.
@Suite("The cache of images' snapshots") struct InstantStoreTests {
    private let directory = TemporaryDirectory()
    private let store: InstantStore

    init() { store = InstantStore(cache: directory.path("cache")) }

    private func configuration(_ cpus: Int = 1) -> Configuration {
        var configuration = Configuration()
        configuration.cpus = cpus
        return configuration
    }

    /// The programs' stamps are left out: this program is none of Aerie's.
    private func key(
        _ image: String, _ configuration: Configuration, programs: [SnapshotRecord.Stamp] = []
    ) throws -> InstantKey {
        try InstantKey(image: image, configuration: configuration, directory: directory.url.path, programs: programs)
    }

    private func add(_ key: InstantKey, code: String? = nil) throws {
        try store.add(key, hasHooks: false, hasMachineID: false) { work in
            for name in ["state", "memory"] { try Data(name.utf8).write(to: URL(filePath: "\(work)/\(name)")) }
            if let code { try Data(code.utf8).write(to: URL(filePath: "\(work)/code")) }
        }
    }

    /// Whether a machine would find a snapshot.
    ///
    /// - Parameter hasCode: whether it finds code as well, then.
    private func finds(_ key: InstantKey, hasCode: Bool = false) throws -> Bool {
        let work = directory.path("machine-\(UInt64.random(in: 0...UInt64.max))")
        try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: false)
        let found = try store.link(key, to: work) != nil
        let files = try FileManager.default.contentsOfDirectory(atPath: work).sorted()
        let code = hasCode ? ["saved.code", "saved.code.json"] : []
        #expect(files == (found ? code + ["saved.memory", "saved.state"] : []))
        return found
    }

    @Test("A snapshot is found by a machine with the same image and settings, whatever ports it publishes")
    func keys() throws {
        var one = configuration()
        one.shares = [Share(hostDirectory: directory.url.path, guestDirectory: "/work")]
        try add(try key("/images/a", one))
        var ports = one
        ports.publishedPorts = [try PublishedPort(option: "8080:80")]
        ports.shares[0].hostDirectory = "."
        #expect(try finds(try key("/images/a", ports)))
        #expect(try !finds(try key("/images/b", one)))
        var others = [one, one, one]
        others[0].cpus = 2
        others[1].commandLine = "quiet"
        others[2].shares[0].hostDirectory = "/"
        for other in others { #expect(try !finds(try key("/images/a", other))) }
    }

    @Test("Of one image, the snapshots that were used last are kept")
    func bounds() throws {
        let keys = try (1...InstantStore.mostOfAnImage).map { try key("/images/a", configuration($0)) }
        try add(try key("/images/b", configuration()))
        for key in keys { try add(key) }
        #expect(try finds(keys[0]))
        try add(try key("/images/a", configuration(60)))
        #expect(try keys.map { try finds($0) } == [true, false] + Array(repeating: true, count: keys.count - 2))
        #expect(try finds(try key("/images/b", configuration())))
    }

    @Test("A guest that boots gets the code of its image that was used last, of the same program and for its processor")
    func code() throws {
        let programs = try ["aerie", "aerie-vm", "other"].map { name in
            try SnapshotRecord.Stamp(file: directory.file(name, Data(name.utf8)))
        }
        func linked(_ image: String, _ configuration: Configuration, program: Int = 1) throws -> String? {
            let work = directory.path("machine-\(UInt64.random(in: 0...UInt64.max))")
            try FileManager.default.createDirectory(atPath: work, withIntermediateDirectories: false)
            store.linkCode(of: image, program: programs[program], configuration, to: work)
            let names = try FileManager.default.contentsOfDirectory(atPath: work).sorted()
            if names.isEmpty { return nil }
            #expect(names == ["boot.code", "boot.code.json"])
            return try String(contentsOfFile: "\(work)/boot.code", encoding: .utf8)
        }
        #expect(try linked("/images/a", configuration()) == nil)
        let keys = try (1...2).map { try key("/images/a", configuration($0), programs: Array(programs[..<2])) }
        try add(keys[0], code: "one")
        try add(keys[1], code: "two")
        try add(try key("/images/b", configuration(), programs: Array(programs[..<2])))
        var large = configuration()
        large.codeCache = .mebibytes(64)
        try add(try key("/images/a", large, programs: Array(programs[..<2])), code: "large")

        #expect(try finds(keys[0], hasCode: true))
        #expect(try linked("/images/a", configuration(4)) == "one")
        #expect(try finds(keys[1], hasCode: true))
        #expect(try linked("/images/a", configuration(4)) == "two")
        #expect(try linked("/images/a", large) == "large")
        #expect(try linked("/images/a", configuration(), program: 2) == nil)
        #expect(try linked("/images/b", configuration()) == nil)
        var other = configuration()
        other.processor = try Processor(option: "max")
        #expect(try linked("/images/a", other) == "two")
        other.processor = try Processor(option: "max,h=on")
        #expect(try linked("/images/a", other) == nil)
        var small = configuration()
        // A file has a block at least.
        small.codeCache = ByteSize(bytes: 8192)
        try add(try key("/images/c", small, programs: Array(programs[..<2])), code: "much")
        #expect(try linked("/images/c", small) == nil)
        // A file that is not what was saved executes nowhere.
        for name in try FileManager.default.contentsOfDirectory(atPath: directory.path("cache/instant"))
        where !name.hasPrefix(".") {
            try? Data("new".utf8).write(to: URL(filePath: directory.path("cache/instant/\(name)/code")))
        }
        #expect(try linked("/images/a", configuration()) == nil)
    }

    @Test("A file that has changed is compared with its checksums, and a snapshot that is not sound is removed")
    func damage() throws {
        let key = try key("/images/a", configuration())
        try add(key)
        let entry = try #require(
            try FileManager.default.contentsOfDirectory(atPath: directory.path("cache/instant")).first {
                !$0.hasPrefix(".")
            })
        try Data("mamory".utf8).write(to: URL(filePath: directory.path("cache/instant/\(entry)/memory")))
        #expect(try !finds(key))
        #expect(store.removeAll { _ in true }.count == 0)
        try add(key)
        try Data("{}".utf8).write(to: URL(filePath: directory.path("cache/instant/\(entry)/instant.json")))
        #expect(try !finds(key))
    }

    @Test("The second of two that save at once changes nothing, and what a killed one has left is removed")
    func two() throws {
        let key = try key("/images/a", configuration())
        try store.add(key, hasHooks: false, hasMachineID: false) { work in
            for name in ["state", "memory"] { try Data(name.utf8).write(to: URL(filePath: "\(work)/\(name)")) }
            #expect(!store.contains(key))
            try add(key)
            #expect(store.contains(key))
        }
        #expect(try finds(key))
        try FileManager.default.createDirectory(
            atPath: directory.path("cache/instant/.new-0123"), withIntermediateDirectories: false)
        #expect(store.removeAll { $0?.image == "/images/b" }.count == 0)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path("cache/instant"))
        #expect(names.filter { $0 != ".lock" }.count == 1)
        #expect(store.removeAll { $0?.image == "/images/a" }.count == 1)
        #expect(try !finds(key))
    }
}
