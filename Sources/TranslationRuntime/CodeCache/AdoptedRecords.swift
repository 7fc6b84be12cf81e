internal import Glibc
internal import HostSystem

/// The places of a segment's records of adopted code.
///
/// The records are made one after the other when they are used first: most of a machine's code is never used by a copy of it, and each page
/// of memory that is written costs a copy time and room.
final class AdoptedRecords {
    /// The numbers by which the records were saved, by their places.
    @exclusivity(unchecked) private var numbers: [UInt32] = []
    /// By the number, the place and 1. Memory that is not used costs nothing.
    private let places: UnsafeMutablePointer<UInt32>
    private let count: Int

    /// - Parameter count: of the records that were saved.
    init(count: Int) {
        self.count = count
        places = zeroedMemory(UInt32.self, max(count, 1))
    }

    deinit { free(places) }

    /// The place of a saved record, the same each time: 0 for the first that is asked for. Nil for one that was not saved.
    func place(of number: Int) -> Int? {
        guard 0..<count ~= number else { return nil }
        if places[number] > 0 { return Int(places[number]) - 1 }
        numbers.append(UInt32(number))
        places[number] = UInt32(numbers.count)
        return numbers.count - 1
    }

    /// The number by which the record at a place was saved; nil for a record that was not adopted.
    func number(at place: Int) -> Int? { numbers.indices ~= place ? Int(numbers[place]) : nil }
}
