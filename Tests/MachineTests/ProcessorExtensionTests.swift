import Foundation
import GuestBoot
import RISCV
import Testing

@testable import Aerie

@Suite("Extensions of a riscv64 guest's processor") struct ProcessorExtensionTests {
    /// What the device tree says of a processor.
    private func node(_ option: String) throws -> DeviceTree.Node {
        var configuration = Configuration()
        configuration.processor = try Processor(option: option)
        let tree = RISCVDeviceTree.make(configuration, pciHighWindow: (0x4_0000_0000, 0x4_0000_0000))
        return try #require(tree.node("/cpus/cpu@0"))
    }

    private func strings(_ option: String) throws -> [String] {
        let node = try node(option)
        let property = try #require(node.properties.first { $0.name == "riscv,isa-extensions" })
        return property.value.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static let rva20 = ["i", "m", "a", "f", "d", "c", "zicntr", "zicsr", "zifencei", "svade"]
    private static let rva22 = [
        "i", "m", "a", "f", "d", "c", "zicbom", "zicbop", "zicboz", "zicntr", "zicsr", "zifencei", "zihintpause",
        "zihpm", "zfhmin", "zba", "zbb", "zbs", "zkt", "svade", "svinval", "svpbmt",
    ]
    private static let max = [
        "i", "m", "a", "f", "d", "c", "zicbom", "zicbop", "zicboz", "zicntr", "zicond", "zicsr", "zifencei",
        "zihintpause", "zihpm", "zawrs", "zfhmin", "zba", "zbb", "zbs", "zkt", "sstc", "svadu", "svinval", "svnapot",
        "svpbmt",
    ]

    @Test(
        "The device tree lists exactly the extensions of the model, in both forms",
        arguments: [("rva20", rva20), ("rva22", rva22), ("max", max), ("mmu=sv48", max)])
    func models(option: String, expected: [String]) throws {
        #expect(try strings(option) == expected)
        let isa = try #require(try node(option).string("riscv,isa"))
        #expect(isa == "rv64imafdc_" + expected.dropFirst(6).joined(separator: "_"))
    }

    @Test(
        "An extension that is switched off or on is missing or there, and no other",
        arguments: Processor.Extension.allCases.filter { ![.smaia, .ssaia].contains($0) })
    func switches(one: Processor.Extension) throws {
        let name = one.rawValue
        var expected = Self.max.filter { $0 != name }
        // The name of a hart without Svadu.
        if one == .svadu { expected.insert("svade", at: try #require(expected.firstIndex(of: "svinval"))) }
        #expect(try strings("max,\(name)=off") == expected)
        #expect(try strings("max,\(name)=off,\(name)=on") == Self.max)
        let added = try Processor(option: "rva20,\(name)=on")
        let all: [Processor.Extension] = [.zicntr, .smaia, .ssaia, one]
        #expect(added.extensions == Processor.Extension.allCases.filter(all.contains))
        #expect(try strings("rva20,\(name)=on").contains(name))
    }

    @Test("The Advanced Interrupt Architecture is there with its controllers, unless it is switched off")
    func advancedInterrupts() throws {
        for (option, interrupts, expected) in [
            ("max", .plic, []), ("max", .aia, [.smaia, .ssaia]), ("rva20", .aia, [.smaia, .ssaia]),
            ("rva22,smaia=off", .aia, [.ssaia]), ("max,ssaia=off", .aia, [.smaia]), ("max,smaia=on", .plic, []),
        ] as [(String, Configuration.Interrupts, [Processor.Extension])] {
            let processor = try Processor(option: option)
            let names = processor.deviceTreeExtensions(interrupts).filter { $0.hasSuffix("aia") }
            #expect(names == expected.map(\.rawValue), "\(option)")
            let absent = processor.hartExtensions(.aia) == processor.hartExtensions(.plic)
            #expect(absent == (processor.has(.smaia) || processor.has(.ssaia) ? false : true))
        }
        // The order of ISA strings.
        #expect(
            try Processor(option: "max,h=on").deviceTreeExtensions(.aia).drop { $0 != "zkt" }.prefix(5)
                == ["zkt", "smaia", "ssaia", "sstc", "svadu"])
    }

    @Test("Block sizes are told of the cache-block extensions that there are")
    func blocks() throws {
        for (option, names) in [
            ("max", ["cbom", "cbop", "cboz"]), ("rva20", []), ("max,zicbom=off", ["cbop", "cboz"]),
            ("rva20,zicboz=on", ["cboz"]),
        ] as [(String, [String])] {
            let node = try node(option)
            for name in ["cbom", "cbop", "cboz"] {
                #expect(node.cells("riscv,\(name)-block-size") == (names.contains(name) ? [64] : nil), "\(option)")
            }
        }
    }

    @Test("Profiles have the paging mode that they demand unless one is chosen")
    func pagingModes() throws {
        for (option, mode) in [
            ("rva20", "sv39"), ("rva22", "sv39"), ("max", "sv48"), ("rva20,mmu=sv57", "sv57"),
            ("rva22,zbb=off,mmu=sv48", "sv48"),
        ] {
            #expect(try node(option).string("mmu-type") == "riscv,\(mode)")
        }
    }

    @Test("A processor is equal to another if it has the same model and extensions, however they were asked for")
    func equality() throws {
        #expect(try Processor(option: "max,zbb=on,m=on,zicsr=on") == Processor())
        #expect(try Processor(option: "rva20,zbb=off") == Processor(model: .rva20))
        #expect(try Processor(option: "zbb=off,zba=off") == Processor(option: "max,zba=off,zbb=on,zbb=off"))
        #expect(try Processor(option: "zbb=off") != Processor())
        #expect(try Processor(option: "rva22,h=on") == Processor(model: .rva22, hypervisor: true))
    }

    @Test("A processor comes back from JSON as it was, and a record from before the choice has its model's extensions")
    func records() throws {
        for option in ["max", "rva20", "max,zbb=off,sstc=off,h=on", "rva20,zfhmin=on,mmu=sv57"] {
            let processor = try Processor(option: option)
            let text = try JSONEncoder().encode(processor)
            #expect(try JSONDecoder().decode(Processor.self, from: text) == processor)
        }
        let old = Data(#"{"model":"max","pagingMode":"sv48","hypervisor":true}"#.utf8)
        #expect(try JSONDecoder().decode(Processor.self, from: old) == Processor(hypervisor: true))
    }

    @Test("An unknown extension's refusal lists those that are known")
    func advice() throws {
        let error = #expect(throws: AerieError.self) { try Processor(option: "max,zfa=on") }
        #expect(error?.category == .usage)
        #expect(error?.found == "extension 'zfa' is not known")
        for one in Processor.Extension.allCases { #expect(error?.advice.contains(one.rawValue) == true) }
    }

    @Test("Harts have the extensions that the processor has")
    func harts() throws {
        #expect(Processor().hartExtensions(.plic) == .all)
        #expect(try Processor(option: "rva20").hartExtensions(.plic) == .init([.zicntr]))
        #expect(try Processor(option: "rva20,svpbmt=on").hartExtensions(.plic) == .init([.zicntr, .svpbmt]))
    }
}
