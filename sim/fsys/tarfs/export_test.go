package tarfs

// Layout is a record for CheckLayout.
type Layout struct {
	Value any
	Size  int64
}

// PrivateLayouts lists the records that the package does not export.
func PrivateLayouts() []Layout {
	return []Layout{{&sparseHeader{}, 495}, {&sparseBlock{}, 512}, {&sparseRegion{}, 24}}
}
