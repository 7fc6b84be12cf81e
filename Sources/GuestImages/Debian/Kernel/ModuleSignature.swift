/// The signature at the end of a kernel module (Linux, include/linux/module_signature.h):
///
///     data of the signature, then 12 bytes: algorithm, hash, kind, length of the signer's name, length of the key's
///     identifier, 3 bytes of padding, length of the signature's data (32 bits, big endian); then the mark.
///
/// The initial RAM disk holds modules without it, because it holds them without some symbols (`ModuleSymbols`), and because a kernel that
/// finds one reads the whole module once more to hash it, at every start. The modules of the root file system keep theirs.
enum ModuleSignature {
    private static let mark = Array("~Module signature appended~\n".utf8)
    private static let headerSize = 12

    /// The module without its signature; unchanged when it has none, or one that makes no sense.
    static func removed(from module: [UInt8]) -> [UInt8] {
        let end = module.count - mark.count - headerSize
        guard end >= 0, module.suffix(mark.count).elementsEqual(mark) else { return module }
        let header = module[end..<end + headerSize]
        let names = Int(header[end + 3]) + Int(header[end + 4])
        let length = header.suffix(4).reduce(0) { $0 << 8 | Int($1) }
        guard names + length <= end else { return module }
        return Array(module[..<(end - names - length)])
    }
}
