/// What is needed to change a qcow2 image, and not to read it. Its owner holds the image's lock for changes.
struct Qcow2Changes: ~Copyable {
    /// Clusters that the tables in memory do not refer to any more.
    struct GivenUp {
        var clusters: Range<UInt64>
        /// The last epoch whose requests may use them.
        let epoch: UInt64
    }

    /// Nil in a read-only image.
    var refcounts: Qcow2Refcounts?
    /// In the order in which they were given up.
    var givenUp: [GivenUp] = []
    /// L1 entries that differ from the file.
    var changedL1: [Int] = []

    init(refcounts: consuming Qcow2Refcounts?) { self.refcounts = refcounts }
}
