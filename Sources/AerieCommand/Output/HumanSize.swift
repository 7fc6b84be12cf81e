internal import Foundation

/// Sizes for people: three figures or so, and a unit.
enum HumanSize {
    static func text(_ bytes: UInt64) -> String {
        let units = ["B", "K", "M", "G", "T"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024 && unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 || value >= 100
            ? "\(Int(value.rounded()))\(units[unit])" : String(format: "%.1f", value) + units[unit]
    }
}
