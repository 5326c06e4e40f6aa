package letter

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	red    = color.RGBA{200, 30, 30, 255}
	green  = color.RGBA{30, 160, 40, 255}
	blue   = color.RGBA{30, 30, 200, 255}
	yellow = color.RGBA{240, 220, 30, 255}
	white  = color.RGBA{255, 255, 255, 255}
)

// quarters is a picture of four colours: top left and right, bottom left and right.
func quarters(w, h int, c [4]color.RGBA) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i, c := range c {
		at := image.Pt(i%2*(w/2), i/2*(h/2))
		draw.Draw(m, image.Rectangle{at, at.Add(image.Pt(w/2, h/2))}, image.NewUniform(c), image.Point{}, draw.Src)
	}
	return m
}

func asJPEG(m image.Image) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func asPNG(m image.Image) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func decoded(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// Pictures of 32 by 16 in WebP: left red; right blue, or transparent.
var (
	webpLossy    = decoded("UklGRlIAAABXRUJQVlA4IEYAAACQAwCdASogABAAPtFWpkuoJKOhsAgBABoJaACdMoRwNsAAQzqAAP7qZfwFe5d/+N2Kc+yv/7tCvYOPZwP46/61YWmrwAAA")
	webpAlpha    = decoded("UklGRmgAAABXRUJQVlA4WAoAAAAQAAAAHwAADwAAQUxQSBMAAAABDzD/ERFCIJDkLz3AAhH9j+IFAFZQOCAuAAAAsAEAnQEqIAAQAALATCWgAuy6AAQPkAD+7ZA/xC72Nt//PTP62/j/zM/3hg+wAA==")
	webpLossless = decoded("UklGRigAAABXRUJQVlA4TBsAAAAvH8ADEA8wHoM8HvMf8BAIJPlLD7BARP+jWAEA")
)

// inserted returns a JPEG with a segment after its first marker.
func inserted(b []byte, marker byte, payload []byte) []byte {
	return slices.Concat(b[:2], segment(marker, payload), b[2:])
}

func segment(marker byte, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(payload)+2)), payload...)
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// exif is an EXIF segment as cameras write it: make, orientation and place.
func exif(order byteOrder, orientation int) []byte {
	mark := map[byteOrder]string{binary.LittleEndian: "II", binary.BigEndian: "MM"}[order]
	b := order.AppendUint16([]byte(mark), 42)
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 3)
	entry := func(tag, kind uint16, n uint32, value []byte) {
		b = order.AppendUint16(order.AppendUint16(b, tag), kind)
		b = append(order.AppendUint32(b, n), value...)
	}
	entry(0x010f, 2, 14, order.AppendUint32(nil, 50)) // make
	entry(0x0112, 3, 1, order.AppendUint16(order.AppendUint16(nil, uint16(orientation)), 0))
	entry(0x8825, 4, 1, order.AppendUint32(nil, 64)) // where the place is told
	b = append(order.AppendUint32(b, 0), "PLANTED CAMERA"...)
	b = order.AppendUint16(b, 1)
	entry(1, 2, 8, order.AppendUint32(nil, 82))
	b = append(order.AppendUint32(b, 0), "PLANTED GPS"...)
	return append([]byte("Exif\x00\x00"), b...)
}

// checkQuarters looks into the middle of each quarter.
func checkQuarters(t *testing.T, b []byte, want [4]color.RGBA) {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	size := m.Bounds().Size()
	for i, want := range want {
		got := color.RGBAModel.Convert(m.At(size.X*(1+i%2*2)/4, size.Y*(1+i/2*2)/4)).(color.RGBA)
		if far(got.R, want.R) || far(got.G, want.G) || far(got.B, want.B) {
			t.Errorf("quarter %d is %v; want %v", i+1, got, want)
		}
	}
}

func far(a, b uint8) bool { return math.Abs(float64(a)-float64(b)) > 16 }

// Whichever way the camera was held, the picture stands upright. What is stored
// for each orientation is as EXIF has it: where the first row and the first column
// of the file belong in the picture.
func TestThumbnailIsUpright(t *testing.T) {
	up := [4]color.RGBA{red, green, blue, yellow}
	for _, tt := range []struct {
		orientation int
		row, column string
		stored      [4]color.RGBA
	}{
		{0, "unknown", "unknown", up},
		{1, "top", "left", up},
		{2, "top", "right", [4]color.RGBA{green, red, yellow, blue}},
		{3, "bottom", "right", [4]color.RGBA{yellow, blue, green, red}},
		{4, "bottom", "left", [4]color.RGBA{blue, yellow, red, green}},
		{5, "left", "top", [4]color.RGBA{red, blue, green, yellow}},
		{6, "right", "top", [4]color.RGBA{green, yellow, red, blue}},
		{7, "right", "bottom", [4]color.RGBA{yellow, green, blue, red}},
		{8, "left", "bottom", [4]color.RGBA{blue, red, yellow, green}},
		{9, "no", "such", up},
	} {
		for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
			t.Run(fmt.Sprintf("%d row %s column %s %s", tt.orientation, tt.row, tt.column, order), func(t *testing.T) {
				w, h := 96, 64
				if tt.orientation >= 5 && tt.orientation <= 8 {
					w, h = h, w
				}
				file := inserted(asJPEG(quarters(w, h, tt.stored)), 0xe1, exif(order, tt.orientation))
				for longest, want := range map[int]image.Point{1000: {96, 64}, 48: {48, 32}} {
					b, width, height, err := thumbnail(file, longest)
					if err != nil {
						t.Fatal(err)
					}
					if c, _ := jpeg.DecodeConfig(bytes.NewReader(b)); width != want.X || height != want.Y || c.Width != width || c.Height != height {
						t.Errorf("%d by %d, said to be %d by %d; want %v", c.Width, c.Height, width, height, want)
					}
					checkQuarters(t, b, up)
				}
			})
		}
	}
}

// The orientation is found wherever it stands, and nothing else is taken for it.
func TestOrientation(t *testing.T) {
	plain := asJPEG(quarters(8, 8, [4]color.RGBA{}))
	turned := exif(binary.BigEndian, 6)
	for _, tt := range []struct {
		name string
		file []byte
		want int
	}{
		{"none", plain, 1},
		{"first", inserted(plain, 0xe1, turned), 6},
		{"after another of the same marker", inserted(inserted(plain, 0xe1, turned), 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00")), 6},
		{"after filling", slices.Concat(plain[:2], []byte{0xff, 0xff, 0xff}, segment(0xe1, turned), plain[2:]), 6},
		{"the first of two", inserted(inserted(plain, 0xe1, turned), 0xe1, exif(binary.LittleEndian, 3)), 3},
		{"after the end", append(slices.Clone(plain), segment(0xe1, turned)...), 1},
		{"in another segment", inserted(plain, 0xe2, turned), 1},
		{"cut off", inserted(plain, 0xe1, turned[:20]), 1},
		{"beyond the end", inserted(plain, 0xe1, []byte("Exif\x00\x00II*\x00\xff\xff\xff\xff\x01\x00")), 1},
		{"no file", nil, 1},
	} {
		if got, _, _ := survey(tt.file); got != tt.want {
			t.Errorf("%s: %d; want %d", tt.name, got, tt.want)
		}
	}
}

func TestThumbnailReadsWhatIsSent(t *testing.T) {
	half := [4]color.RGBA{red, blue, red, blue}
	onWhite := [4]color.RGBA{red, white, red, white}
	m, seeThrough := quarters(32, 16, half), quarters(32, 16, [4]color.RGBA{red, {}, red, {}})
	grey := image.NewGray(m.Rect)
	draw.Draw(grey, m.Rect, m, image.Point{}, draw.Src)
	deep := image.NewNRGBA64(m.Rect)
	draw.Draw(deep, m.Rect, seeThrough, image.Point{}, draw.Src)
	shade := func(c color.RGBA) color.RGBA {
		y := color.GrayModel.Convert(c).(color.Gray).Y
		return color.RGBA{y, y, y, 255}
	}

	var moving bytes.Buffer
	frame := func(c ...color.RGBA) *image.Paletted {
		p := image.NewPaletted(m.Rect, color.Palette{color.RGBA{}, c[0], c[1]})
		draw.Draw(p, m.Rect, quarters(32, 16, [4]color.RGBA{c[0], c[1], c[0], c[1]}), image.Point{}, draw.Src)
		return p
	}
	if err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{frame(red, color.RGBA{}), frame(green, green)}, Delay: []int{9, 9}}); err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name string
		file []byte
		want [4]color.RGBA
	}{
		{"JPEG", asJPEG(m), half},
		{"grey JPEG", asJPEG(grey), [4]color.RGBA{shade(red), shade(blue), shade(red), shade(blue)}},
		{"PNG", asPNG(m), half},
		{"transparent PNG", asPNG(seeThrough), onWhite},
		{"deep transparent PNG", asPNG(deep), onWhite},
		{"transparent PNG with a palette", asPNG(frame(red, color.RGBA{})), onWhite},
		{"moving transparent GIF", moving.Bytes(), onWhite},
		{"lossy WebP", webpLossy, half},
		{"lossy transparent WebP", webpAlpha, onWhite},
		{"lossless transparent WebP", webpLossless, onWhite},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, w, h, err := thumbnail(tt.file, 1280)
			if err != nil {
				t.Fatal(err)
			}
			if w != 32 || h != 16 {
				t.Errorf("%d by %d", w, h)
			}
			checkQuarters(t, b, tt.want)
			if again, _, _, _ := thumbnail(tt.file, 1280); !bytes.Equal(b, again) {
				t.Error("another time it is another file")
			}
		})
	}
}

// Nothing of the file is in the thumbnail but its pixels.
func TestThumbnailTellsNothingElse(t *testing.T) {
	planted := asJPEG(quarters(64, 64, [4]color.RGBA{red, green, blue, yellow}))
	planted = inserted(planted, 0xfe, []byte("PLANTED comment"))
	planted = inserted(planted, 0xed, []byte("Photoshop 3.0\x00PLANTED IPTC"))
	planted = inserted(planted, 0xe2, []byte("ICC_PROFILE\x00\x01\x01PLANTED profile"))
	planted = inserted(planted, 0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>PLANTED</x:xmpmeta>"))
	planted = inserted(planted, 0xe1, exif(binary.LittleEndian, 6))
	planted = append(planted, "PLANTED after the end"...)

	text := append([]byte("tEXtComment\x00PLANTED"), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(text[len(text)-4:], crc(text[:len(text)-4]))
	b := asPNG(quarters(64, 64, [4]color.RGBA{red, green, blue, yellow}))
	withText := slices.Concat(b[:33], binary.BigEndian.AppendUint32(nil, uint32(len(text)-8)), text, b[33:])

	for name, file := range map[string][]byte{"JPEG": planted, "PNG": withText} {
		for _, longest := range []int{32, 64} {
			b, _, _, err := thumbnail(file, longest)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, not := range []string{"PLANTED", "Exif", "GPS", "ICC_PROFILE", "xmp", "II*\x00", "MM\x00*", "JFIF", "Photoshop"} {
				if bytes.Contains(b, []byte(not)) {
					t.Errorf("%s: the thumbnail holds %q", name, not)
				}
			}
			var markers []string
			for m := range segments(b) {
				markers = append(markers, fmt.Sprintf("%x", m))
			}
			if got := strings.Join(markers, " "); got != "db c0 c4 da" { // tables, frame, tables, scan
				t.Errorf("%s: the thumbnail has the segments %s", name, got)
			}
			if !bytes.HasSuffix(b, []byte{0xff, 0xd9}) {
				t.Errorf("%s: something follows the end", name)
			}
		}
	}
}

func crc(b []byte) uint32 {
	c := ^uint32(0)
	for _, x := range b {
		c ^= uint32(x)
		for range 8 {
			c = c>>1 ^ -(c&1)&0xedb88320
		}
	}
	return ^c
}

// A small file that is huge in memory, or takes for ever, is refused before
// anything is set aside for it.
func TestThumbnailRefusesBombs(t *testing.T) {
	be16, le16 := binary.BigEndian.AppendUint16, binary.LittleEndian.AppendUint16
	ihdr := func(w, h uint32, depth, kind, interlaced byte) []byte {
		b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), w), h)
		b = append(b, depth, kind, 0, 0, interlaced)
		b = binary.BigEndian.AppendUint32(b, crc(b))
		return append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), b...)
	}
	frame := func(marker byte, w, h uint16, samplings ...byte) []byte {
		b := be16(be16([]byte{8}, h), w)
		b = append(b, byte(len(samplings)))
		for i, s := range samplings {
			b = append(b, byte(i+1), s, 0)
		}
		return slices.Concat([]byte{0xff, 0xd8}, segment(marker, b), segment(0xda, []byte{1, 1, 0, 0, 63, 0}))
	}
	one := asJPEG(quarters(16, 16, [4]color.RGBA{}))
	scan := one[bytes.Index(one, []byte{0xff, 0xda}) : len(one)-2]
	canvas := func(w, h int) []byte {
		w, h = w-1, h-1
		return append([]byte("RIFF\x40\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00"),
			byte(w), byte(w>>8), byte(w>>16), byte(h), byte(h>>8), byte(h>>16))
	}

	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"PNG of 3.6 gigapixels", ihdr(60000, 60000, 8, 6, 0), "60000 by 60000 pixels are too many"},
		{"PNG of one bit a pixel", ihdr(60000, 60000, 1, 0, 0), "too many"},
		{"PNG whose size overflows", ihdr(1<<31-1, 1<<31-1, 8, 6, 0), "png: "}, // the decoder's own
		{"deep PNG", ihdr(5000, 5000, 16, 6, 0), "too many"},
		{"interlaced PNG", ihdr(5500, 5000, 8, 6, 1), "too many"},
		{"JPEG", frame(0xc0, 65500, 65500, 0x22, 0x11, 0x11), "too many"},
		{"progressive JPEG", frame(0xc2, 6000, 4500, 0x22, 0x11, 0x11), "too many"},
		{"progressive JPEG with full colour", frame(0xc2, 4000, 3000, 0x11, 0x11, 0x11), "too many"},
		{"JPEG for a press", frame(0xc0, 6000, 5000, 0x11, 0x11, 0x11, 0x11), "too many"},
		{"JPEG of many scans", slices.Concat(one[:len(one)-2], bytes.Repeat(scan, 100), one[len(one)-2:]), "101 scans are too many"},
		{"GIF", append(le16(le16([]byte("GIF89a"), 65535), 65535), 0, 0, 0), "too many"},
		{"WebP", canvas(16384, 16384), "too many"},
		{"WebP of a size beyond reason", canvas(1<<24, 1<<24), "webp: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, _, err := thumbnail(tt.file, 1280)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v; want %q", err, tt.want)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
				t.Errorf("it took %d bytes of memory", took)
			}
		})
	}

	large := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, mostPicture)...)
	if _, _, _, err := thumbnail(large, 1280); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a large file: %v", err)
	}
}

// A picture within every other limit does not take long.
func TestTimeOfAPictureOfManyScans(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 7000, 7000), image.YCbCrSubsampleRatio420), nil); err != nil {
		t.Fatal(err)
	}
	one := b.Bytes()
	scan := one[bytes.Index(one, []byte{0xff, 0xda}) : len(one)-2]
	n := min(mostScans-1, (mostPicture-len(one))/len(scan))
	file := slices.Concat(one[:len(one)-2], bytes.Repeat(scan, n), one[len(one)-2:])
	start := time.Now()
	_, _, _, err := thumbnail(file, longestSide)
	t.Logf("%d bytes, %d scans: %v, %v", len(file), n+1, time.Since(start), err)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it takes %v; a conversation may have 200 of them, and one file may be sent as often as one likes", took)
	}
}

// What people do send is let through.
func TestThumbnailMemoryOfOrdinaryPictures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		w, h   int
		memory float64
	}{
		{"phone's JPEG of 50 megapixels", 8160, 6120, 1.5},
		{"progressive JPEG as WhatsApp makes them at most", 4096, 3072, 7.5},
		{"screenshot", 3840, 2160, 6},
		{"WebP", 3840, 2160, 10},
	} {
		if pixels := tt.w * tt.h; pixels > mostPixels || float64(pixels)*tt.memory > mostMemory {
			t.Errorf("%s is refused", tt.name)
		}
	}
	phone := segment(0xc0, []byte{8, 0, 64, 0, 64, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0})
	if got := jpegMemory(phone, image.Config{ColorModel: color.YCbCrModel}); got != 1.5 {
		t.Errorf("a pixel of a phone's JPEG takes %v bytes; want 1.5", got)
	}
	phone[1] = 0xc2
	if got := jpegMemory(phone, image.Config{ColorModel: color.YCbCrModel}); got != 7.5 {
		t.Errorf("a pixel of a progressive JPEG takes %v bytes; want 7.5", got)
	}
}

func TestThumbnailOfWhatIsNoPicture(t *testing.T) {
	whole := asJPEG(quarters(64, 64, [4]color.RGBA{red, green, blue, yellow}))
	for name, file := range map[string][]byte{
		"nothing":         nil,
		"text":            []byte("The river is over the bank."),
		"SVG":             []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`),
		"HEIC":            []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"),
		"TIFF":            []byte("II*\x00\x08\x00\x00\x00"),
		"JPEG cut short":  whole[:len(whole)/2],
		"only its start":  whole[:2],
		"GIF of no size":  []byte("GIF89a\x00\x00\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x01\x2c\x00;"),
		"other RIFF":      []byte("RIFF\x24\x00\x00\x00WAVEfmt "),
		"WebP of nothing": []byte("RIFF\x04\x00\x00\x00WEBPVP8"),
	} {
		b, w, h, err := thumbnail(file, 1280)
		if err == nil || b != nil || w != 0 || h != 0 {
			t.Errorf("%s: %d bytes, %d by %d, %v", name, len(b), w, h, err)
		}
	}
}

// A fault in a decoder costs the picture and not the program, and what it says
// may be the picture's.
func TestThumbnailSurvivesAPanic(t *testing.T) {
	sound := formats
	defer func() { formats = sound }()
	formats[0].config = func(io.Reader) (image.Config, error) { panic(errors.New("what the picture says")) }
	_, _, _, err := thumbnail([]byte(jpegMagic), 1280)
	if err == nil || !strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "says") {
		t.Errorf("err = %v", err)
	}
}

func TestThumbnailSize(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after another, which the race detector watches for long")
	}
	for _, tt := range []struct {
		size    image.Point
		longest int
		want    image.Point
	}{
		{image.Pt(4000, 3000), 1280, image.Pt(1280, 960)},
		{image.Pt(3000, 4000), 1280, image.Pt(960, 1280)},
		{image.Pt(1281, 1000), 1280, image.Pt(1280, 999)},
		{image.Pt(1280, 3), 1280, image.Pt(1280, 3)},
		{image.Pt(640, 480), 1280, image.Pt(640, 480)},
		{image.Pt(50000, 2), 1000, image.Pt(1000, 1)},
		{image.Pt(1, 50000), 1000, image.Pt(1, 1000)},
		{image.Pt(1, 1), 1, image.Pt(1, 1)},
	} {
		if got := fit(tt.size, tt.longest); got != tt.want {
			t.Errorf("%v at most %d is %v; want %v", tt.size, tt.longest, got, tt.want)
		}
		if got := scaled(image.NewAlpha(image.Rectangle{Max: tt.size}), tt.longest).Bounds(); got != (image.Rectangle{Max: tt.want}) {
			t.Errorf("%v at most %d becomes %v; want %v", tt.size, tt.longest, got, tt.want)
		}
	}
}

// Lines as narrow as a pixel turn grey, and do not leave stripes that were never there.
func TestThumbnailOfFinePrint(t *testing.T) {
	m := image.NewGray(image.Rect(0, 0, 900, 900))
	for i := range m.Pix {
		if i%900%2 == 0 {
			m.Pix[i] = 255
		}
	}
	for i, p := range scaled(m, 128).(*image.RGBA).Pix {
		if i%4 != 3 && (p < 96 || p > 160) {
			t.Fatalf("pixel %d is %d; want it grey", i/4, p)
		}
	}
}

// Whatever is sent, the answer is an error or a picture of the size that it tells.
func FuzzThumbnail(f *testing.F) {
	m := quarters(24, 16, [4]color.RGBA{red, green, blue, {}})
	var g bytes.Buffer
	if err := gif.Encode(&g, m, nil); err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{
		inserted(asJPEG(m), 0xe1, exif(binary.LittleEndian, 6)), asPNG(m), g.Bytes(), webpLossy, webpAlpha, webpLossless,
	} {
		f.Add(b, 16)
		f.Add(b[:len(b)-len(b)/4], 1280)
	}
	f.Fuzz(func(t *testing.T, file []byte, longest int) {
		longest = 1 + longest&1023
		if format := formatOf(file); format != nil {
			if c, err := format.config(bytes.NewReader(file)); err == nil && c.Width*c.Height > 1<<18 {
				t.Skip() // slow
			}
		}
		b, w, h, err := thumbnail(file, longest)
		if err != nil {
			if strings.Contains(err.Error(), "panic") {
				t.Error(err)
			}
			return
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width != w || c.Height != h || w < 1 || h < 1 || max(w, h) > longest {
			t.Errorf("said to be %d by %d, at most %d: %+v, %v", w, h, longest, c, err)
		}
	})
}

func BenchmarkThumbnail(b *testing.B) {
	m := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	for i := range m.Pix {
		m.Pix[i] = byte(i>>2 ^ i>>11)
	}
	file := asJPEG(m)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := thumbnail(file, 1280); err != nil {
			b.Fatal(err)
		}
	}
}
