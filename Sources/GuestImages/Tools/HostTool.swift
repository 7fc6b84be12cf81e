internal import Glibc

/// The programs of the host that a build runs, each with the Debian package that brings it.
package enum HostTool: String, CaseIterable, Sendable {
    case aptGet = "apt-get"
    case aptConfig = "apt-config"
    case dpkgDeb = "dpkg-deb"
    case depmod
    case xz
    case mke2fs
    case debugfs
    case e2fsck
    case md5sum
    case sha256sum
    case unshare

    package var debianPackage: String {
        switch self {
        case .aptGet, .aptConfig: "apt"
        case .dpkgDeb: "dpkg"
        case .depmod: "kmod"
        case .xz: "xz-utils"
        case .mke2fs, .debugfs, .e2fsck: "e2fsprogs"
        case .md5sum, .sha256sum: "coreutils"
        case .unshare: "util-linux"
        }
    }

    /// Where programs are looked for: an ordinary user's PATH often lacks the directories of the administrator's.
    package static func searchPath(_ path: String?) -> [String] {
        let own = (path ?? "").split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
        return own + ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].filter { !own.contains($0) }
    }

    /// The program's path, or nil when it is not installed.
    package func locate(in directories: [String]) -> String? {
        directories.map { "\($0)/\(rawValue)" }.first { access($0, X_OK) == 0 }
    }

    /// Fails with every program that is missing, in one line that says what to install.
    static func requireAll(_ tools: [HostTool] = allCases, in directories: [String]) throws(ImageError) {
        let missing = tools.filter { $0.locate(in: directories) == nil }
        guard !missing.isEmpty else { return }
        let packages = Set(missing.map(\.debianPackage)).sorted().joined(separator: " ")
        throw ImageError(
            .unavailable,
            "building an image: \(missing.map(\.rawValue).joined(separator: ", ")) not found; "
                + "install with 'apt-get install \(packages)'")
    }
}
