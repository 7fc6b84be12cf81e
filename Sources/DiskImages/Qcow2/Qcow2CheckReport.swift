/// What a check of a qcow2 image has found.
package struct Qcow2CheckReport: Equatable, Sendable {
    /// Clusters with a reference count that is too high. They cost space, nothing else.
    package internal(set) var leaks: UInt64 = 0
    /// Everything else that is wrong.
    package internal(set) var errors: UInt64 = 0
    /// How many of these the check has repaired.
    package internal(set) var repairedLeaks: UInt64 = 0
    package internal(set) var repairedErrors: UInt64 = 0
    /// Guest clusters with a place in the file.
    package internal(set) var allocatedClusters: UInt64 = 0
    package internal(set) var totalClusters: UInt64 = 0
    package internal(set) var compressedClusters: UInt64 = 0
    /// The first findings, each a phrase.
    package internal(set) var findings: [String] = []
    /// Whether the image says that it was not closed well, or that it is damaged.
    package internal(set) var isMarkedDirty = false
    package internal(set) var isMarkedCorrupt = false

    private static let mostFindings = 20

    mutating func addError(_ finding: String) {
        errors += 1
        if findings.count < Self.mostFindings { findings.append(finding) }
    }

    package var isClean: Bool { leaks == repairedLeaks && errors == repairedErrors }
}
