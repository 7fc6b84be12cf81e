@testable import HostX86_64

extension EncoderListing {
    mutating func addVectors() {
        let kinds: [(UInt8, String)] = [
            (0xDB, "pand"), (0xEB, "por"), (0xEF, "pxor"), (0xFC, "paddb"), (0xFE, "paddd"), (0xD4, "paddq"),
            (0xFA, "psubd"),
        ]
        for vector in Self.vectors {
            for address in Self.addresses {
                let memory = "xmmword ptr \(Self.name(address))"
                add("movdqu \(vector), \(memory)") { $0.loadVector(vector, address) }
                add("movdqu \(memory), \(vector)") { $0.storeVector(address, vector) }
            }
            for (opcode, name) in kinds {
                for other in Self.vectors { add("\(name) \(vector), \(other)") { $0.vector(opcode, vector, other) } }
            }
        }
    }
}
