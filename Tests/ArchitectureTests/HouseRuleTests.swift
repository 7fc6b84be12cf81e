import Foundation
import Testing

@Suite("House rules")
struct HouseRuleTests {
    /// Tables of instructions grow with the instruction set and are read by row, not from top to bottom.
    private static let longTables: Set<String> = ["InstructionTable.swift"]
    /// Functions that are tables, too.
    private static let longFunctions: Set<String> = ["Format.swift unpackCompressed"]

    @Test("Every module has its row in the layer table")
    func everyModuleIsInTheTable() throws {
        #expect(try SourceTree.modules() == Layers.fromTheGround.flatMap { $0 }.sorted())
    }

    @Test(
        "The layers' rows in the documents have the modules of the table",
        arguments: ["docs/architecture.md", "CONTRIBUTING.md"])
    func documentsHaveTheLayers(document: String) throws {
        let text = try String(contentsOf: SourceTree.root.appending(path: document), encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| ") }
        for (name, modules) in zip(Layers.namesFromTheGround, Layers.fromTheGround) {
            let row = try #require(rows.first { $0.hasPrefix("| \(name) |") }, "\(name)")
            // Shims for C have one name in the page for readers.
            let expected = modules.filter { document == "CONTRIBUTING.md" || $0.firstMatch(of: /^C[A-Z]/) == nil }
            #expect(expected.filter { !row.contains("`\($0)`") } == [], "\(name)")
        }
    }

    @Test("Imports point only downwards")
    func importsPointDown() throws {
        let wrong = try SourceTree.files(under: "Sources").flatMap { file in
            file.imports.filter { !Layers.allow(file.module, importing: $0) }.map { "\(file.path) imports \($0)" }
        }
        #expect(wrong == [])
    }

    @Test("Package.swift declares every import, and nothing that points up")
    func importsAreDeclared() throws {
        let manifest = try PackageManifest()
        var wrong: [String] = []
        for (module, files) in Dictionary(grouping: try SourceTree.files(under: "Sources"), by: \.module) {
            let declared = try #require(manifest.dependencies(of: module), "\(module)")
            let ours = declared.filter { Layers.level(of: $0) != nil }
            wrong += ours.filter { !Layers.allow(module, importing: $0) }.map { "Package.swift: \(module) on \($0)" }
            let imported = Set(files.flatMap(\.imports)).subtracting(Layers.toolchain)
            wrong += imported.subtracting(declared).map { "\(module) imports \($0), which Package.swift does not say" }
        }
        #expect(wrong == [])
    }

    @Test("Package.swift declares no dependency that nothing imports")
    func declaredDependenciesAreUsed() throws {
        let manifest = try PackageManifest()
        let files = try ["Sources", "Tests"].flatMap { try SourceTree.files(under: $0) }
        var unused: [String] = []
        for (module, files) in Dictionary(grouping: files, by: \.module) {
            let declared = try #require(manifest.dependencies(of: module), "\(module)")
            // A test starts the programs that it depends on; nothing imports a program.
            let importable = declared.subtracting(manifest.programs)
            unused += importable.subtracting(files.flatMap(\.imports)).map { "\(module) on \($0)" }
        }
        #expect(unused.sorted() == [])
    }

    /// Everything that the project writes in Swift.
    private static let roots = [
        "Sources", "Tests", "Benchmarks", "Examples/Sources", "Plugins", "guest", "hypervisor",
    ]

    @Test("Files have at most 400 lines")
    func filesAreSmall() throws {
        let files = try Self.roots.flatMap { try SourceTree.files(under: $0) }
        let long = files.filter { $0.lines.count > 401 && !Self.longTables.contains($0.name) }
        #expect(long.map { "\($0.path): \($0.lines.count - 1) lines" } == [])
    }

    @Test("Functions have at most 60 lines")
    func functionsAreSmall() throws {
        let files = try Self.roots.flatMap { try SourceTree.files(under: $0) }
        let long = files.flatMap { file in
            FunctionBody.all(in: file.lines.joined(separator: "\n"))
                .filter { $0.lines > 60 && !Self.longFunctions.contains("\(file.name) \($0.name)") }
                .map { "\(file.path):\($0.firstLine): \($0.name) has \($0.lines) lines" }
        }
        #expect(long == [])
    }

    @Test("No placeholder stands where code should")
    func noPlaceholders() throws {
        let files = try SourceTree.files(under: "Sources") + SourceTree.files(under: "Tests")
        #expect(files.map(\.path).filter { $0.hasSuffix("Placeholder.swift") } == [])
    }

    @Test("What the compiler does not check says why it is right")
    func uncheckedCodeNamesItsInvariant() throws {
        let marks = ["@unchecked", "nonisolated(unsafe)", "unowned(unsafe)", "unsafeBitCast", "-Ounchecked"]
        let wrong = try SourceTree.files(under: "Sources").flatMap { file in
            file.lines.indices
                .filter { index in marks.contains { file.lines[index].contains($0) } }
                .filter { !file.hasComment(beside: $0) }
                .map { "\(file.path):\($0 + 1)" }
        }
        #expect(wrong == [])
    }

    @Test("Only the library is public, and types whose functions other modules inline; all of that is documented")
    func publicMeansTheLibrary() throws {
        var wrong: [String] = []
        for file in try SourceTree.files(under: "Sources") {
            for (index, line) in file.lines.enumerated() {
                let words = line.split(separator: " ").drop { $0.hasPrefix("@") }
                guard words.first == "public", words.dropFirst().first != "import" else { continue }
                let isInlined = file.lines.contains { $0.contains("@inlinable") }
                if !Layers.library.contains(file.module), !isInlined {
                    wrong.append(
                        "\(file.path):\(index + 1) is public outside the library, without a function to inline")
                }
                if !file.isDocumented(at: index) { wrong.append("\(file.path):\(index + 1) is not documented") }
            }
        }
        #expect(wrong == [])
    }
}

@Suite("Reading sources")
struct SourceReadingTests {
    @Test("Imports are found under every modifier and kind")
    func imports() {
        let text = """
            internal import Glibc
            package import GuestMemory
            @preconcurrency import Foundation
            import struct Machine.InterruptLine
            // import Nothing
            let important = 1
            """
        let file = SourceFile(path: "Sources/X/Y.swift", text: text)
        #expect(file.imports == ["Glibc", "GuestMemory", "Foundation", "Machine"])
        #expect(file.module == "X")
    }

    @Test("The layer table forbids upward, sideways and undeclared imports")
    func layers() {
        #expect(Layers.allow("Machine", importing: "GuestMemory"))
        #expect(Layers.allow("VirtioDevices", importing: "DiskImages"))
        #expect(!Layers.allow("GuestMemory", importing: "Machine"))
        #expect(!Layers.allow("Virtio", importing: "PlatformDevices"))
        #expect(!Layers.allow("Machine", importing: "Foundation"))
        #expect(!Layers.allow("Machine", importing: "Unheard"))
    }

    @Test("Bodies of functions are found and measured whatever stands in comments, strings and signatures")
    func functionBodies() {
        let text = ##"""
            protocol P {
                func requirement() throws(E) -> Int
                var value: Int { get }
                init()
            }
            struct S {  // func comment() {
                /* func block() { /* nested */ */
                var stored = Set<Int>()
                let closure = { 1 }
                func first(_ body: () -> Void = {}) -> [String: Int] {
                    print("}", "\(map { "}" })", #"\#(1) " } "#)
                    return [:]
                }
                init(
                    value: Int
                ) {
                    self.init(text: """
                        } " \(value)
                        """)
                }
                var computed: Int {
                    1
                }
                deinit { end() }
            }
            """##
        #expect(
            FunctionBody.all(in: text) == [
                FunctionBody(name: "value", firstLine: 3, lines: 1),
                FunctionBody(name: "first", firstLine: 10, lines: 4),
                FunctionBody(name: "init", firstLine: 14, lines: 7),
                FunctionBody(name: "computed", firstLine: 21, lines: 3),
                FunctionBody(name: "deinit", firstLine: 24, lines: 1),
            ])
    }

    @Test("Dependencies are read from every form of target in Package.swift")
    func manifest() {
        let text = """
                    .library(name: "A", targets: ["A"]),
                    .target(name: "A"),
                    module("B"),
                    module("C", ["B"]),
                    module(
                        "D",
                        ["B", .product(name: "P", package: "p-package")]),
                    .executableTarget(
                        name: "E", path: "Somewhere", exclude: ["Guests"],
                        dependencies: ["D"],
                    .executableTarget(name: "F", exclude: ["Guests"]),
                    tests("CTests", ["C"], exclude: ["Guests"]),
            """
        let manifest = PackageManifest(text: text)
        #expect(manifest.dependencies(of: "A") == [])
        #expect(manifest.dependencies(of: "B") == [])
        #expect(manifest.dependencies(of: "C") == ["B"])
        #expect(manifest.dependencies(of: "D") == ["B", "P"])
        #expect(manifest.dependencies(of: "E") == ["D"])
        #expect(manifest.dependencies(of: "F") == [])
        #expect(manifest.dependencies(of: "CTests") == ["C"])
        #expect(manifest.dependencies(of: "G") == nil)
        #expect(manifest.programs == ["E", "F"])
    }
}
