/// What to build.
package struct BuildOptions: Equatable, Sendable {
    /// Debian's suite or code name, such as `trixie`.
    package var suite = ImageReference.defaultDebianSuite
    package var architecture = ImageArchitecture.riscv64
    /// Packages beyond the minimal system, by name.
    package var packages: [String] = []
    /// The archive's address; nil takes the one that this host's apt uses for Debian.
    package var mirror: String?
    /// The root disk's virtual size in bytes, from 1 GiB to 1 TiB; the file is sparse.
    package var diskSize: UInt64 = 4 << 30

    /// What becomes process 1. A package `systemd-sysv` among `packages` means systemd, too.
    package var initSystem = InitSystem.aerie
    /// The image's name; nil for `debian` and the suite.
    package var reference: ImageReference?

    package init() {}

    /// The init that the packages decide.
    var effectiveInit: InitSystem { packages.contains("systemd-sysv") ? .systemd : initSystem }
    /// All packages beyond the minimal system.
    var allPackages: [String] {
        packages + (effectiveInit == .systemd ? InitSystem.systemdPackages.filter { !packages.contains($0) } : [])
    }
}
