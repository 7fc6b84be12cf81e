/// Does on the host what the scripts of Debian's `ca-certificates` would take minutes for in an emulated guest: they
/// start several programs for each of some 150 certificates, twice.
///
/// The result is that of `update-ca-certificates(8)` but for the links by subject hash, which one `openssl rehash` of
/// the second stage makes.
enum CertificateStore {
    static let package = "ca-certificates"

    /// Enables every certificate that the package ships.
    ///
    /// - Returns: false when the tree has none, so that the package's own scripts must run.
    static func enableAll(in tree: RootTree) throws(ImageError) -> Bool {
        let base = "usr/share/ca-certificates"
        let names = tree.names(in: "\(base)/mozilla").filter { $0.hasSuffix(".crt") }.map { "mozilla/\($0)" }
        guard !names.isEmpty else { return false }
        var bundle = ""
        try tree.addDirectory("etc/ssl/certs")
        try tree.addDirectory("usr/local/share/ca-certificates")
        for name in names {
            guard let text = tree.text("\(base)/\(name)") else { continue }
            bundle += text.hasSuffix("\n") ? text : text + "\n"
            let link = name.dropFirst("mozilla/".count).dropLast(".crt".count).map { character -> Character in
                switch character {
                case " ", ",": "_"
                case "(", ")": "="
                default: character
                }
            }
            try tree.addLink("etc/ssl/certs/\(String(link)).pem", to: "/\(base)/\(name)")
        }
        try tree.write(bundle, to: "etc/ssl/certs/ca-certificates.crt")
        let header =
            "# Certificates of /usr/share/ca-certificates; a leading ! turns one off. See update-ca-certificates(8).\n"
        try tree.write(header + names.map { $0 + "\n" }.joined(), to: "etc/ca-certificates.conf")
        return true
    }
}
