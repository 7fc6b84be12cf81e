/// A step of an image's build, for a progress bar or a log.
package struct BuildProgress: Equatable, Sendable {
    /// The build's phases in their order.
    package enum Phase: String, CaseIterable, Sendable {
        case resolving = "Reading package lists"
        case downloading = "Downloading packages"
        case unpacking = "Unpacking packages"
        case modules = "Indexing kernel modules"
        case formatting = "Writing the root disk"
        case configuring = "Configuring packages"
        case checking = "Checking the root disk"
        case storing = "Storing the image"
    }

    package enum Unit: Sendable {
        case bytes, packages
    }

    package var phase: Phase
    /// How much of `total` is done, in `unit`s; both are 0 while the phase's extent is unknown.
    package var completed: UInt64 = 0
    package var total: UInt64 = 0
    package var unit: Unit = .packages
    /// What is being worked on, such as a package's name; empty when there is nothing to name.
    package var item = ""
}
