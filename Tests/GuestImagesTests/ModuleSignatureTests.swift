import Testing

@testable import GuestImages

@Suite struct ModuleSignatureTests {
    private let code: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 1, 2, 3]
    private let mark = Array("~Module signature appended~\n".utf8)

    private func header(_ length: UInt8, signer: UInt8 = 0, key: UInt8 = 0) -> [UInt8] {
        [0, 0, 2, signer, key, 0, 0, 0, 0, 0, 0, length]
    }

    @Test func theSignatureAndItsHeaderAreCutOff() {
        let signature = [UInt8](repeating: 9, count: 5)
        #expect(ModuleSignature.removed(from: code + signature + header(5) + mark) == code)
        #expect(ModuleSignature.removed(from: code + [1, 2] + signature + header(5, signer: 1, key: 1) + mark) == code)
    }

    @Test func aModuleWithoutSignatureStaysAsItIs() {
        #expect(ModuleSignature.removed(from: code) == code)
        #expect(ModuleSignature.removed(from: []) == [])
        #expect(ModuleSignature.removed(from: mark) == mark)
    }

    @Test func aSignatureLongerThanTheModuleIsLeftAlone() {
        let module = code + header(200) + mark
        #expect(ModuleSignature.removed(from: module) == module)
    }
}
