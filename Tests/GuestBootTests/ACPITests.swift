import Foundation
import GuestToolchain
import Testing

@testable import GuestBoot

@Suite("ACPI tables") struct ACPITests {
    private static let tables = ACPITables(
        processors: 3, localAPIC: 0xFEE0_0000, ioapic: 0xFEC0_0000,
        power: .init(reset: 0x600, resetValue: 6, sleepControl: 0x601, sleepStatus: 0x602),
        configurationSpace: .init(base: 0xE000_0000, buses: 0...0),
        devices: [
            .scope(
                "\\_SB",
                [
                    .device(
                        "COM1",
                        [
                            .name("_HID", .identifier("PNP0501")),
                            .name("_CRS", .resources([.ports(0x3F8, count: 8), .interrupt(4)])),
                        ]),
                    .device(
                        "PCI0",
                        [
                            .name("_HID", .identifier("PNP0A08")),
                            .name(
                                "_CRS",
                                .resources([
                                    .buses(0...0), .window(0xC000_0000, size: 0x2000_0000),
                                    .highWindow(0x4_0000_0000, size: 0x4_0000_0000),
                                    .memory(0xE000_0000, size: 0x10_0000),
                                ])),
                            .name(
                                "_PRT",
                                .package(
                                    (1..<32).map {
                                        .package([
                                            .integer($0 << 16 | 0xFFFF), .integer(0), .integer(0),
                                            .integer(16 + $0 % 4),
                                        ])
                                    })),
                        ]),
                ]),
            .scope(
                "\\_SB",
                [
                    .device("VGEN", [.name("_HID", .text("AERI0001")), .name("_CID", .text("VM_Gen_Counter"))]),
                    .device(
                        "GED0",
                        [
                            .name("_HID", .text("ACPI0013")), .name("_CRS", .resources([.interrupt(20)])),
                            .eventMethod(notifying: "VGEN", 0x80),
                        ]),
                ]),
            .name("\\_S5", .package([.integer(5), .integer(0)])),
        ])
    private static let address: UInt64 = 0xE_0000

    /// The tables that the root leads to, by signature, and the DSDT.
    private func found() throws -> [String: [UInt8]] {
        let bytes = Self.tables.encoded(at: Self.address)
        func table(_ address: UInt64) throws -> [UInt8] {
            let offset = Int(address - Self.address)
            let length: UInt32 = try #require(bytes.littleEndian(at: offset + 4))
            return Array(bytes[offset..<offset + Int(length)])
        }
        let xsdt = try table(try #require(bytes.littleEndian(at: 24)))
        var result = ["XSDT": xsdt]
        for offset in stride(from: 36, to: xsdt.count, by: 8) {
            let table = try table(try #require(xsdt.littleEndian(at: offset)))
            result[String(decoding: table[..<4], as: UTF8.self)] = table
        }
        let dsdt: UInt64 = try #require(result["FACP"]?.littleEndian(at: 140))
        result["DSDT"] = try table(dsdt)
        return result
    }

    @Test("The root leads to every table, and all their bytes sum up to zero")
    func checksums() throws {
        let bytes = Self.tables.encoded(at: Self.address)
        #expect(bytes.has(Array("RSD PTR ".utf8), at: 0))
        #expect(bytes[..<20].reduce(0, &+) == 0 && bytes[..<36].reduce(0, &+) == 0)
        let tables = try found()
        #expect(tables.keys.sorted() == ["APIC", "DSDT", "FACP", "MCFG", "XSDT"])
        for (name, table) in tables { #expect(table.reduce(0, &+) == 0, "\(name)") }
    }

    @Test("The fixed description is hardware-reduced and tells how to reset and to sleep")
    func fixedDescription() throws {
        let table = try #require(try found()["FACP"])
        #expect(table.count == 276 && table[8] == 6 && table[131] == 5)
        #expect(table.littleEndian(at: 112, as: UInt32.self) == 0x10_0430)
        #expect(Array(table[116..<129]) == [1, 8, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 6])
        #expect(Array(table[244..<256]) == [1, 8, 0, 1, 1, 6, 0, 0, 0, 0, 0, 0])
        #expect(Array(table[256..<268]) == [1, 8, 0, 1, 2, 6, 0, 0, 0, 0, 0, 0])
    }

    @Test("The interrupt controllers are a local one for each processor, and one for devices")
    func interruptControllers() throws {
        let table = try #require(try found()["APIC"])
        #expect(table.littleEndian(at: 36, as: UInt32.self) == 0xFEE0_0000)
        #expect(
            Array(table[44...]) == [
                0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 1, 1, 0, 0, 0, 0, 8, 2, 2, 1, 0, 0, 0,
                1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0, 2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 4, 6, 0xFF, 0, 0, 1,
            ])
    }

    @Test("A PCI host bridge grants the operating system the features that it may control, of those that it asks for")
    func pciControl() {
        // Method (_OSC, 4) { CreateDWordField (Arg3, 8, CTRL)  CTRL &= 0x15  Return (Arg3) }
        #expect(
            AML.grantsPCIControl(0x15).bytes == [0x14, 27] + Array("_OSC".utf8) + [4, 0x8A, 0x6B, 0x0A, 8]
                + Array("CTRL".utf8) + [0x7B] + Array("CTRL".utf8) + [0x0A, 0x15] + Array("CTRL".utf8) + [0xA4, 0x6B])
    }

    @Test("The method of an event device notifies the device that its interrupt is about")
    func eventMethod() {
        // Method (_EVT, 1, Serialized) { Notify (VGEN, 0x80) }
        #expect(
            AML.eventMethod(notifying: "VGEN", 0x80).bytes == [0x14, 13] + Array("_EVT".utf8) + [9, 0x86]
                + Array("VGEN".utf8) + [0x0A, 0x80])
    }

    @Test("Each of 64 processors has its local controller, numbered from 0 on")
    func sixtyFourProcessors() throws {
        let tables = ACPITables(
            processors: 64, localAPIC: 0xFEE0_0000, ioapic: 0xFEC0_0000,
            power: .init(reset: 0x600, resetValue: 6, sleepControl: 0x601, sleepStatus: 0x602),
            configurationSpace: nil, devices: [])
        let bytes = tables.encoded(at: 0)
        let start = try #require(bytes.indices.first { bytes.has(Array("APIC".utf8), at: $0) })
        for index in 0..<64 {
            let place = start + 44 + 8 * index
            #expect(Array(bytes[place..<place + 8]) == [0, 8, UInt8(index), UInt8(index), 1, 0, 0, 0])
        }
        #expect(bytes[start + 44 + 8 * 64] == 1)
    }

    @Test("A window above 4 GiB is a range of prefetchable memory with both ends")
    func highWindow() {
        let bytes = AMLResource.highWindow(0x4_0000_0000, size: 0x4_0000_0000).bytes
        #expect(bytes.count == 46)
        #expect(Array(bytes[..<6]) == [0x8A, 43, 0, 0, 0x0C, 0x07])
        #expect(bytes.littleEndian(at: 14, as: UInt64.self) == 0x4_0000_0000)
        #expect(bytes.littleEndian(at: 22, as: UInt64.self) == 0x7_FFFF_FFFF)
        #expect(bytes.littleEndian(at: 38, as: UInt64.self) == 0x4_0000_0000)
    }

    @Test("Lengths of the byte code take as many bytes as they need")
    func lengths() {
        #expect(AML.package([.integer(1)]).bytes == [0x12, 3, 1, 1])
        let long = AML.name("_SB", .text(String(repeating: "x", count: 70)))
        #expect(AML.scope("A", [long]).bytes.prefix(7) == [0x10, 0x43, 0x05, 0x41, 0x5F, 0x5F, 0x5F])
        #expect(AML.identifier("PNP0A08").bytes == [0x0C, 0x41, 0xD0, 0x0A, 0x08])
        #expect(AML.integer(0x1_0000).bytes == [0x0C, 0, 0, 1, 0])
    }

    @Test(
        "iasl finds nothing wrong with any table",
        .enabled(if: HostProgram.find("iasl") != nil, "needs Debian's package acpica-tools"))
    func compiler() throws {
        let iasl = try #require(HostProgram.find("iasl"))
        for (name, table) in try found() where name != "XSDT" {
            let directory = TemporaryDirectory()
            let file = try directory.file("table.aml", Data(table))
            let base = directory.path("table")
            let back = directory.path("back")
            let disassembly = try HostProgram.run(iasl, ["-p", base, "-d", file])
            #expect(disassembly.status == 0, "\(String(decoding: disassembly.output, as: UTF8.self))")
            let compilation = try HostProgram.run(
                iasl, ["-p", back, "\(base).dsl"])
            let text = String(decoding: compilation.output, as: UTF8.self)
            // Data tables are compiled without a summary of errors when there are none.
            #expect(compilation.status == 0 && !text.contains("Error  "), "\(name): \(text)")
            if name == "DSDT" {
                // The compiler has its own opinion of lengths and integers, so that its bytes may differ.
                #expect(text.contains("Compilation successful. 0 Errors, 0 Warnings"), "\(text)")
                continue
            }
            let again = try? [UInt8](Data(contentsOf: URL(filePath: "\(back).aml")))
            #expect(again?.dropFirst(36).elementsEqual(table.dropFirst(36)) == true, "\(name) changes on its way")
        }
    }
}
