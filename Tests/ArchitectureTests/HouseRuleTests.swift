import Foundation
import Testing

@Suite("House rules")
struct HouseRuleTests {
    /// Tables of instructions grow with the instruction set and are read by row, not from top to bottom.
    private static let longTables: Set<String> = ["InstructionTable.swift"]

    @Test("Every module has its row in the layer table")
    func everyModuleIsInTheTable() throws {
        #expect(try SourceTree.modules() == Layers.fromTheGround.flatMap { $0 }.sorted())
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
        let manifest = try String(contentsOf: SourceTree.root.appending(path: "Package.swift"), encoding: .utf8)
        var wrong: [String] = []
        for (module, files) in Dictionary(grouping: try SourceTree.files(under: "Sources"), by: \.module) {
            let declared = try #require(SourceTree.declaredDependencies(of: module, manifest: manifest))
            // Names of packages stand in the same brackets as names of products.
            let ours = declared.filter { Layers.level(of: $0) != nil }
            wrong += ours.filter { !Layers.allow(module, importing: $0) }.map { "Package.swift: \(module) on \($0)" }
            let imported = Set(files.flatMap(\.imports)).filter { Layers.level(of: $0) != nil }
            wrong += imported.subtracting(declared).map { "\(module) imports \($0), which Package.swift does not say" }
        }
        #expect(wrong == [])
    }

    @Test("Files have at most 400 lines")
    func filesAreSmall() throws {
        let files = try SourceTree.files(under: "Sources") + SourceTree.files(under: "Tests")
        let long = files.filter { $0.lines.count > 401 && !Self.longTables.contains($0.name) }
        #expect(long.map { "\($0.path): \($0.lines.count - 1) lines" } == [])
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

    @Test("Only the library is public, and all of that is documented")
    func publicMeansTheLibrary() throws {
        var wrong: [String] = []
        for file in try SourceTree.files(under: "Sources") {
            for (index, line) in file.lines.enumerated() {
                let words = line.split(separator: " ").drop { $0.hasPrefix("@") }
                guard words.first == "public", words.dropFirst().first != "import" else { continue }
                if file.module != "Aerie" { wrong.append("\(file.path):\(index + 1) is public outside Aerie") }
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

    @Test("Dependencies are read from every form of target in Package.swift")
    func manifest() {
        let text = """
                    .target(name: "A"),
                    module("B"),
                    module("C", ["B"]),
                    module(
                        "D",
                        ["B", .product(name: "P", package: "p-package")]),
                    .executableTarget(
                        name: "E",
                        dependencies: ["D"],
            """
        let read = { SourceTree.declaredDependencies(of: $0, manifest: text) }
        #expect(read("B") == [])
        #expect(read("C") == ["B"])
        #expect(read("D") == ["B", "P", "p-package"])
        #expect(read("E") == ["D"])
        #expect(read("F") == nil)
    }
}
