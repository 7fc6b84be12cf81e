import Foundation
import GuestBoot
import GuestToolchain
import Testing

@testable import Aerie

/// The device tree beside that of QEMU's `virt`.
@Suite("The device tree") struct DeviceTreeTests {
    /// Nodes and properties of QEMU's tree that ours lacks or has in another form; docs/riscv-board.md has the reasons.
    private static let differences: Set<String> = [
        "/ model", "/chosen rng-seed", "/platform-bus@4000000", "/pmu", "/cpus/cpu riscv,isa",
        "/cpus/cpu riscv,isa-extensions", "/cpus/cpu mmu-type", "/soc/plic@c000000 riscv,ndev",
    ]

    /// Nodes and properties of ours that not every version of QEMU has.
    private static let additions: Set<String> = [
        "/cpus/cpu riscv,isa-base", "/cpus/cpu riscv,isa-extensions", "/cpus/cpu riscv,cbom-block-size",
        "/cpus/cpu riscv,cboz-block-size", "/cpus/cpu riscv,cbop-block-size", "/soc/rng@103000", "/soc/sswi@2f00000",
        "/soc/virtio_mmio dma-coherent", "/soc/aplic@c000000 riscv,delegation", "/soc/aplic@c000000 #address-cells",
        "/soc/aplic@d000000 #address-cells",
    ]

    /// Properties whose cells at some places are phandles: every `stride` cells from `first` on.
    private static let references: [String: (first: Int, stride: Int)] = [
        "interrupt-parent": (0, 1), "regmap": (0, 1), "cpu": (0, 1), "interrupts-extended": (0, 2),
        "interrupt-map": (4, 6), "msi-parent": (0, 1), "riscv,children": (0, 1), "riscv,delegate": (0, 3),
    ]

    private func ours(
        _ processor: Processor = Processor(), interrupts: Configuration.Interrupts? = nil, firmware: String? = nil
    ) -> DeviceTree {
        var configuration = Configuration()
        configuration.interrupts = interrupts
        configuration.firmware = firmware
        configuration.cpus = 2
        configuration.processor = processor
        configuration.memory = .mebibytes(512)
        return RISCVDeviceTree.make(configuration, pciHighWindow: (0x4_0000_0000, 0x4_0000_0000))
    }

    /// All properties by the path of their node and their name, with phandles in place of numbers.
    private func properties(_ tree: DeviceTree, isAdvanced: Bool = false) -> [String: [String]] {
        var paths: [UInt32: String] = [:]
        func collect(_ node: DeviceTree.Node, _ path: String) {
            if let phandle = node.cells("phandle")?.first { paths[phandle] = path }
            for child in node.children { collect(child, "\(path)/\(child.name)") }
        }
        collect(tree.root, "")
        var result: [String: [String]] = [:]
        func list(_ node: DeviceTree.Node, _ path: String) {
            for property in node.properties where property.name != "phandle" {
                var values = property.value.map { String($0) }
                if let (first, stride) = Self.references[property.name], let cells = node.cells(property.name) {
                    // A wire of an APLIC is two cells.
                    let stride = isAdvanced && property.name == "interrupt-map" ? stride + 1 : stride
                    values = cells.enumerated().map { index, cell in
                        index % stride == first ? paths[cell] ?? "none" : String(cell)
                    }
                }
                result["\(path.isEmpty ? "/" : path) \(property.name)"] = values
            }
            for child in node.children { list(child, "\(path)/\(child.name)") }
        }
        list(tree.root, "")
        return result
    }

    @Test(
        "Every node and property of QEMU's tree is in ours, but for the documented differences",
        .enabled(if: HostProgram.find("qemu-system-riscv64") != nil, "qemu-system-riscv64 is not installed"))
    func comparison() throws {
        try compare(properties(self.ours()), withMachine: "virt")
    }

    @Test(
        "With the Advanced Interrupt Architecture too, with and without interrupt files for guests",
        .enabled(if: HostProgram.find("qemu-system-riscv64") != nil, "qemu-system-riscv64 is not installed"),
        arguments: [false, true])
    func advancedComparison(hasGuests: Bool) throws {
        // With firmware, which QEMU always has.
        let tree = ours(Processor(hypervisor: hasGuests), interrupts: .aia, firmware: "firmware")
        try compare(
            properties(tree, isAdvanced: true), withMachine: "virt,aia=aplic-imsic,aia-guests=\(hasGuests ? 7 : 0)",
            isAdvanced: true)
    }

    @Test(
        "With an APLIC that interrupts harts directly, too",
        .enabled(if: HostProgram.find("qemu-system-riscv64") != nil, "qemu-system-riscv64 is not installed"))
    func directComparison() throws {
        let tree = ours(interrupts: .aplic, firmware: "firmware")
        try compare(properties(tree, isAdvanced: true), withMachine: "virt,aia=aplic", isAdvanced: true)
        #expect(tree.node("/soc/pci@30000000")?.cells("msi-parent") == nil)
    }

    private func compare(
        _ ours: [String: [String]], withMachine machine: String, isAdvanced: Bool = false
    ) throws {
        let directory = TemporaryDirectory()
        let file = directory.path("virt.dtb")
        let qemu = try #require(HostProgram.find("qemu-system-riscv64"))
        _ = try HostProgram.run(
            qemu, ["-machine", "\(machine),dumpdtb=\(file)", "-smp", "2", "-m", "512M", "-display", "none"])
        let theirs = properties(
            try DeviceTree(blob: [UInt8](try Data(contentsOf: URL(filePath: file)))), isAdvanced: isAdvanced)
        #expect(theirs.count > 100)
        for (key, value) in theirs where !Self.differences.has(key) { #expect(ours[key] == value, "\(key)") }
        let additions = ours.keys.filter { theirs[$0] == nil && !(Self.differences.union(Self.additions)).has($0) }
        #expect(additions.sorted() == [])
    }

    @Test("Without firmware the guest has the controllers of supervisors only")
    func supervisorControllers() throws {
        let tree = ours(interrupts: .aia)
        for (name, isThere) in [
            ("imsics@24000000", false), ("aplic@c000000", false), ("imsics@28000000", true), ("aplic@d000000", true),
        ] {
            let node = try #require(tree.node("/soc/\(name)"))
            #expect(node.string("status") == (isThere ? nil : "disabled"), "\(name)")
        }
        #expect(tree.node("/soc/plic@c000000") == nil)
        #expect(ours().node("/soc/imsics@28000000") == nil)
        let files = try #require(tree.node("/soc/imsics@28000000")?.cells("phandle")?.first)
        #expect(tree.node("/soc/pci@30000000")?.cells("msi-parent") == [files])
        let direct = ours(interrupts: .aplic)
        #expect(direct.node("/soc/aplic@c000000")?.string("status") == "disabled")
        #expect(direct.node("/soc/aplic@d000000")?.string("status") == nil)
        #expect(direct.node("/soc/imsics@28000000") == nil)
    }

    @Test("virtio-mmio slots are in the order of their addresses, in which kernels number what is there")
    func slots() throws {
        let soc = try #require(ours().node("/soc"))
        let slots = soc.children.map(\.name).filter { $0.hasPrefix("virtio_mmio@") }
        #expect(slots == (1...8).map { "virtio_mmio@1000\($0)000" })
    }

    @Test("Processors are described with the paging mode that was asked for", arguments: Processor.PagingMode.allCases)
    func pagingModes(mode: Processor.PagingMode) throws {
        let node = try #require(ours(Processor(pagingMode: mode)).node("/cpus/cpu@1"))
        #expect(node.string("mmu-type") == "riscv,\(mode.rawValue)")
    }

    @Test("The hypervisor extension is in the device tree if it was asked for", arguments: [false, true])
    func hypervisor(isOn: Bool) throws {
        let processor = try Processor(option: "max,h=\(isOn ? "on" : "off")")
        #expect(processor == Processor(hypervisor: isOn))
        let node = try #require(ours(processor).node("/cpus/cpu@1"))
        let isa = try #require(node.string("riscv,isa"))
        #expect(isa.hasPrefix(isOn ? "rv64imafdch_" : "rv64imafdc_"))
        #expect(
            isa.hasSuffix("_sha_shcounterenw_shgatpa_shtvala_shvsatpa_shvstvala_shvstvecd_smstateen_ssstateen") == isOn)
        let old = try JSONDecoder().decode(Processor.self, from: Data(#"{"model":"max","pagingMode":"sv39"}"#.utf8))
        #expect(old == Processor(pagingMode: .sv39))
    }

    @Test("A processor is read as it is typed, with the default model and Sv48")
    func options() throws {
        for (text, mode) in [
            ("max", Processor.PagingMode.sv48), ("max,mmu=sv39", .sv39), ("mmu=sv57", .sv57), ("max,mmu=sv48", .sv48),
        ] {
            #expect(try Processor(option: text) == Processor(pagingMode: mode))
        }
    }

    @Test("A processor is one of the guest's architecture")
    func architectures() throws {
        func refusal(_ text: String, _ architecture: Configuration.Architecture) throws -> String? {
            let processor = try Processor(option: text)
            do throws(AerieError) {
                try processor.validate(for: architecture)
                return nil
            } catch { return error.found }
        }
        for model in ["host", "x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4"] {
            #expect(try refusal(model, .x86_64) == nil)
            #expect(try refusal(model, .riscv64) == "it is a processor of x86_64 guests, and this one is riscv64")
            #expect(
                try refusal("\(model),zbb=on", .x86_64) == "mmu= and extensions are settings of riscv64 guests")
            #expect(try refusal("\(model),h=on", .x86_64) == "mmu= and extensions are settings of riscv64 guests")
        }
        #expect(try refusal("max", .riscv64) == nil)
        #expect(try refusal("max", .x86_64) == "it is a processor of riscv64 guests, and this one is x86_64")
    }

    @Test(
        "What harts lack, and what is not known, is said",
        arguments: [
            ("rva23", AerieError.Category.unavailable, "the harts lack V and others of RVA23"),
            ("max,c=off", .usage, "extension 'c' is a part of every model and stays on"),
            ("rva20,zifencei=off", .usage, "extension 'zifencei' is a part of every model and stays on"),
            ("max,zbb=no", .usage, "zbb 'no' is not known"), ("max,rva20", .usage, "'rva20' is not a known model"),
            ("max,mmu=sv64", .usage, "mmu 'sv64' is not known"),
            ("max,v=on", .usage, "extension 'v' is not known"), ("max,h=yes", .usage, "h 'yes' is not known"),
            ("", .usage, "'' is not a known model"), ("max,max", .usage, "'max' is not a known model"),
        ])
    func refusals(text: String, category: AerieError.Category, found: String) {
        do {
            _ = try Processor(option: text)
            Issue.record("'\(text)' is taken")
        } catch {
            #expect(error.category == category)
            #expect(error.asked == "--cpu \(text)")
            #expect(error.found == found)
        }
    }
}

extension Set<String> {
    /// Whether a node, a property of one, or a property of all processors or slots is in the list.
    fileprivate func has(_ key: String) -> Bool {
        let key = key.replacing(/\/cpu@\d/, with: "/cpu").replacing(/\/virtio_mmio@[0-9a-f]+/, with: "/virtio_mmio")
        return contains { key == $0 || key.hasPrefix($0 + " ") }
    }
}
