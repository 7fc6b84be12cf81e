import Glibc
import GuestBoot
import GuestToolchain
import TestSupport
import Testing

/// The device tree compiler, or nil when it is not installed.
let deviceTreeCompiler: String? = ["/usr/bin/dtc", "/usr/local/bin/dtc"].first { path in access(path, X_OK) == 0 }

@Suite struct DeviceTreeTests {
    private func example() -> DeviceTree {
        var tree = DeviceTree()
        let controller = tree.makePhandle()
        tree.reservations = [.init(address: 0x8000_0000, size: 0x20_0000)]
        tree.bootProcessor = 0
        tree.root.set("#address-cells", cells: [2])
        tree.root.set("#size-cells", cells: [2])
        tree.root.set("compatible", strings: ["test-board", "riscv-virtio"])
        var soc = DeviceTree.Node("soc")
        soc.set("#address-cells", cells: [2])
        soc.set("#size-cells", cells: [2])
        soc.set("ranges")
        var plic = DeviceTree.Node("plic@c000000")
        plic.set("reg", cells64: [0xC00_0000, 0x60_0000])
        plic.set("#interrupt-cells", cells: [1])
        plic.set("interrupt-controller")
        plic.set(phandle: controller)
        soc.add(plic)
        var uart = DeviceTree.Node("serial@10000000")
        uart.set("reg", cells64: [0x1000_0000, 0x100])
        uart.set("interrupt-parent", cells: [controller])
        uart.set("interrupts", cells: [10])
        uart.set("status", string: "okay")
        uart.set("seed", bytes: [1, 2, 3])
        soc.add(uart)
        tree.root.add(soc)
        return tree
    }

    @Test func theSmallestTreeHasExactlyTheBytesOfTheSpecification() {
        var tree = DeviceTree()
        tree.root.set("a", cells: [0x0102_0304])
        let words: [UInt32] = [
            0xD00D_FEED, 40 + 16 + 32 + 2, 56, 88, 40, 17, 16, 0, 2, 32, 0, 0, 0, 0, 1, 0, 3, 4, 0, 0x0102_0304, 2, 9,
        ]
        var expected: [UInt8] = []
        for word in words { expected += bytes(word.byteSwapped) }
        expected += [0x61, 0]
        #expect(tree.encoded() == expected)
    }

    @Test func whatWasEncodedDecodesToTheSame() throws {
        #expect(try DeviceTree(blob: example().encoded(room: 100)) == example())
        let decoded = try DeviceTree(blob: example().encoded())
        #expect(decoded == example())
        #expect(decoded.node("/soc/serial@10000000")?.string("status") == "okay")
        #expect(decoded.node("/soc/plic@c000000")?.cells("reg") == [0, 0xC00_0000, 0, 0x60_0000])
        #expect(decoded.node("/soc/nothing") == nil)
    }

    @Test func phandlesOfADecodedTreeAreNotGivenAgain() throws {
        var tree = try DeviceTree(blob: example().encoded())
        #expect(tree.makePhandle() == 2)
    }

    @Test func settingAPropertyAgainReplacesItInPlace() {
        var node = DeviceTree.Node("n")
        node.set("x", cells: [1])
        node.set("y", cells: [2])
        node.set("x", string: "new")
        #expect(node.properties.map(\.name) == ["x", "y"])
        #expect(node.string("x") == "new")
        #expect(node.cells("y") == [2])
        node.remove("x")
        #expect(node.property("x") == nil)
    }

    @Test(.enabled(if: deviceTreeCompiler != nil, "device-tree-compiler is not installed"))
    func theDeviceTreeCompilerReadsItWithoutComplaint() throws {
        let compiler = try #require(deviceTreeCompiler)
        let directory = TemporaryDirectory()
        let blob = try directory.file("board.dtb", example().encoded())
        let pipe = try #require(popen("\(compiler) -I dtb -O dts -q \(blob) 2>&1", "r"))
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&chunk, 1, chunk.count, pipe), count > 0 { text += chunk[..<count] }
        #expect(pclose(pipe) == 0)
        let source = String(decoding: text, as: UTF8.self)
        #expect(source.contains("/memreserve/\t0x0000000080000000 0x0000000000200000;"))
        // Its versions join the strings of a list in different ways.
        #expect(source.contains("compatible = \"test-board"))
        #expect(source.contains("riscv-virtio\";"))
        #expect(source.contains("reg = <0x00 0x10000000 0x00 0x100>;"))
        #expect(source.contains("interrupt-parent = <0x01>;"))
        #expect(source.contains("seed = [01 02 03];"))
        #expect(source.contains("ranges;"))
    }

    @Test func everyTruncationIsRefused() {
        let blob = example().encoded()
        for count in blob.indices {
            #expect(throws: BootError.self) { try DeviceTree(blob: Array(blob[..<count])) }
        }
    }

    @Test func aTreeThatNestsTooDeepIsRefused() {
        func nested(_ depth: Int) -> DeviceTree.Node {
            var node = DeviceTree.Node(depth == 0 ? "" : "n")
            if depth < 64 { node.add(nested(depth + 1)) }
            return node
        }
        let error = BootError.corrupt(BootItem(.deviceTree), reason: "nodes nest too deep, at offset 0x23c")
        #expect(throws: error) { try DeviceTree(blob: DeviceTree(root: nested(0)).encoded()) }
    }

    @Test(arguments: 0..<10)
    func hostileHeaderFieldsAreRefusedOrHarmless(field: Int) {
        for value: UInt32 in [0, 1, 3, 39, 41, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, 0xFFFF_FFFF] {
            var blob = example().encoded()
            blob.replaceSubrange(4 * field..<4 * field + 4, with: bytes(value.byteSwapped))
            do throws(BootError) {
                let tree = try DeviceTree(blob: blob)
                // The boot processor is any number, the reservations can begin elsewhere, and a later version that
                // says it is compatible is.
                #expect([4, 5, 6, 7].contains(field), "\(field) = \(value)")
                #expect(tree.root == example().root)
            } catch {
                #expect(error.description.hasPrefix("device tree: "))
            }
        }
    }

    @Test func mutatedBlobsAreRefusedOrDecodeToATreeThatEncodes() {
        var random = SeededGenerator(seed: 17)
        let original = example().encoded()
        for _ in 0..<3000 {
            let blob = mutated(original, &random)
            guard let tree = try? DeviceTree(blob: blob) else { continue }
            #expect((try? DeviceTree(blob: tree.encoded()).root) == tree.root)
        }
    }
}
