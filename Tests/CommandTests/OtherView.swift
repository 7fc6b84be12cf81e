import GuestToolchain

/// Programs that see other files than the test, in a mount namespace of their own.
enum OtherView {
    private static let unshare = "/usr/bin/unshare"
    /// Whether this user and host can.
    static let canMount: Bool = {
        let test = try? AerieProcess().run(["help"], wrapper: words("mount -t tmpfs none /mnt"))
        return test?.code == 0
    }()

    /// The words in front of a program that runs after a command has mounted something.
    static func words(_ mount: String) -> [String] {
        [unshare, "--mount", "--", "/bin/sh", "-c", "\(mount) && exec \"$@\"", "sh"]
    }
}
