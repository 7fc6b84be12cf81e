/// What the kernel's command line says about the root disk and the system on it.
struct BootWords {
    /// `aerie.root=`: a device, or `LABEL=NAME` or `UUID=NUMBER` of an ext4 file system.
    private(set) var root = [UInt8]("/dev/vda")
    /// `aerie.rootflags=`: options of the root's mount.
    private(set) var options: [UInt8] = []
    private(set) var isReadOnly = false
    /// Whether changes go to memory.
    private(set) var hasOverlay = false
    /// `init=`.
    private(set) var program: [UInt8]?
    private(set) var hostname: [UInt8]?
    private(set) var hasSharedFolders = false
    /// Whether the image's packages are finished in this run, without networks.
    private(set) var isSecondStage = false
    /// Whether the host speaks with the agent at a console.
    private(set) var hasControlPort = false

    init(_ line: [UInt8]) {
        for word in line.words {
            func value(_ name: StaticString) -> [UInt8]? {
                word.starts(withText: name) ? Array(word[name.utf8CodeUnitCount...]) : nil
            }
            if let text = value("aerie.root=") {
                root = text
            } else if let text = value("aerie.rootflags=") {
                options = text
            } else if let text = value("init="), !text.isEmpty {
                program = text
            } else if let text = value("aerie.hostname=") {
                hostname = text
            } else if word == "aerie.overlay" {
                hasOverlay = true
            } else if word == "aerie.stage2" {
                isSecondStage = true
            } else if word == "ro" || word == "rw" {
                isReadOnly = word == "ro"
            } else if value("aerie.share=") != nil {
                hasSharedFolders = true
            } else if value("aerie.control=") != nil {
                hasControlPort = true
            }
        }
    }
}
