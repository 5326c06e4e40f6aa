package letter

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"iter"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// What one picture may ask of us. Anybody in the group can send one that is small
// in the file and huge in memory, and the service may use 512 MB in all.
const (
	mostPicture = 32 << 20 // bytes in the file
	mostPixels  = 50_000_000
	mostMemory  = 160_000_000 // bytes for decoding it, about
	mostScans   = 100         // of a JPEG; each goes over all of it, and a camera writes ten at most
	mostScanned = 150_000_000 // pixels of a JPEG in all its scans
)

// thumbnail makes the small copy of a picture that a letter shows: JPEG, upright,
// its longer side at most longest pixels, and nothing of the file but the
// pixels: no place, no time, no camera. Of a moving picture it is the first frame;
// what is transparent is white. The same picture gives the same bytes.
//
// It reads JPEG, PNG, GIF and WebP. The errors hold nothing of the picture.
func thumbnail(file []byte, longest int) (b []byte, width, height int, err error) {
	defer func() {
		if p := recover(); p != nil { // decoders have had such faults
			b, width, height, err = nil, 0, 0, fmt.Errorf("thumbnail: panic of type %T", p)
		}
	}()
	src, orientation, err := decode(file)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("thumbnail: %w", err)
	}
	small := upright(scaled(src, longest), orientation)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: 80}); err != nil {
		return nil, 0, 0, fmt.Errorf("thumbnail: %w", err)
	}
	return out.Bytes(), small.Bounds().Dx(), small.Bounds().Dy(), nil
}

// decode reads a picture that is not too large, and which side of it is up.
func decode(b []byte) (image.Image, int, error) {
	if len(b) > mostPicture {
		return nil, 0, fmt.Errorf("the file is larger than %s", size(mostPicture))
	}
	f := formatOf(b)
	if f == nil {
		return nil, 0, errors.New("it is no picture that this program can read")
	}
	c, err := f.config(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	pixels := int64(c.Width) * int64(c.Height)
	if pixels > mostPixels || decoding(b) > mostMemory {
		return nil, 0, fmt.Errorf("%d by %d pixels are too many", c.Width, c.Height)
	}
	orientation := 1
	if f.magic == jpegMagic {
		var scans, most int
		orientation, scans, most = survey(b)
		if scans > most || pixels*int64(scans) > mostScanned {
			return nil, 0, fmt.Errorf("%d scans are too many", scans)
		}
	}
	m, err := f.decode(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	if m.Bounds().Empty() {
		return nil, 0, errors.New("it has no pixels")
	}
	return m, orientation, nil
}

// decoding returns how many bytes it takes to decode a picture, about; 0 for what is none.
func decoding(b []byte) float64 {
	f := formatOf(b)
	if f == nil {
		return 0
	}
	c, err := f.config(bytes.NewReader(b))
	if err != nil {
		return 0
	}
	return float64(c.Width) * float64(c.Height) * f.memory(b, c)
}

// format is a kind of picture that can be read. Every dot in its magic stands for
// any byte.
type format struct {
	magic  string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
	memory func([]byte, image.Config) float64 // bytes a pixel takes in decoding, at most
}

const jpegMagic = "\xff\xd8"

// formats are not looked up in what package image knows of: that depends on what
// else is linked into the program.
var formats = [...]format{
	{jpegMagic, jpeg.DecodeConfig, jpeg.Decode, jpegMemory},
	{"\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode, pngMemory},
	{"GIF8.a", gif.DecodeConfig, gif.Decode, func([]byte, image.Config) float64 { return 1 }},
	{"RIFF....WEBPVP8", webp.DecodeConfig, webp.Decode, func([]byte, image.Config) float64 { return 10 }},
}

func formatOf(b []byte) *format {
	for i, f := range formats {
		if matches(f.magic, b) {
			return &formats[i]
		}
	}
	return nil
}

func matches(magic string, b []byte) bool {
	for i := range len(magic) {
		if i >= len(b) || magic[i] != '.' && magic[i] != b[i] {
			return false
		}
	}
	return true
}

func pngMemory(b []byte, c image.Config) float64 {
	n := 4.0
	switch c.ColorModel {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		n = 8
	}
	if len(b) > 28 && b[28] == 1 { // interlaced: its last pass is a picture of half the size
		n *= 1.5
	}
	return n
}

func jpegMemory(b []byte, c image.Config) float64 {
	var n float64
	for marker, s := range segments(b) {
		if marker < 0xc0 || marker > 0xc2 || len(s) < 6 { // no frame that can be decoded
			continue
		}
		var sum, most int
		for _, sampling := range components(s) {
			sum += sampling
			most = max(most, sampling)
		}
		if most == 0 {
			continue
		}
		samples := float64(sum) / float64(most)
		if marker == 0xc2 { // progressive: every sample is kept as a coefficient too
			samples *= 5
		}
		n = max(n, samples)
	}
	switch c.ColorModel {
	case color.RGBAModel, color.CMYKModel: // made from the samples at the end
		n += 4
	}
	return n
}

// components returns how many samples each component of a frame has in a unit.
func components(frame []byte) (samplings []int) {
	for s := frame[6:]; len(s) >= 3; s = s[3:] {
		samplings = append(samplings, int(s[1]>>4)*int(s[1]&15))
	}
	return samplings
}

// survey returns which side of a JPEG is up, as EXIF numbers it, how many scans it
// has, and how many it needs at most: one for each component, unless it is progressive.
func survey(b []byte) (orientation, scans, most int) {
	for marker, s := range segments(b) {
		switch marker {
		case 0xc0, 0xc1:
			if len(s) >= 6 {
				most = max(most, len(components(s)))
			}
		case 0xc2:
			most = mostScans
		case 0xda:
			scans++
		case 0xe1:
			if orientation == 0 {
				orientation = exifOrientation(s)
			}
		}
	}
	return max(orientation, 1), scans, most
}

// segments yields the segments of a JPEG with their markers. It is as lenient as
// the decoder: what stands between them is passed over.
func segments(b []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for {
			i := bytes.IndexByte(b, 0xff)
			if i < 0 || i+4 > len(b) {
				return
			}
			switch marker := b[i+1]; {
			case marker == 0xff: // filling
				b = b[i+1:]
			case marker == 0 || marker >= 0xd0 && marker <= 0xd8: // stand alone
				b = b[i+2:]
			case marker == 0xd9: // the end
				return
			default:
				end := i + 2 + int(binary.BigEndian.Uint16(b[i+2:]))
				if end < i+4 || end > len(b) || !yield(marker, b[i+4:end]) {
					return
				}
				b = b[end:]
			}
		}
	}
}

// exifOrientation returns what an EXIF segment says of which side is up: 1 to 8,
// or 0 if it says nothing of it.
func exifOrientation(s []byte) int {
	t, ok := bytes.CutPrefix(s, []byte("Exif\x00\x00"))
	if !ok || len(t) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(t[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(t[4:]))
	if at+2 > int64(len(t)) {
		return 0
	}
	const tag, short = 0x0112, 3
	entries := t[at+2:]
	for range order.Uint16(t[at:]) {
		if len(entries) < 12 {
			return 0
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if o := int(order.Uint16(entries[8:])); o <= 8 {
				return o
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}

// fit returns the size of a picture whose longer side is at most longest.
func fit(s image.Point, longest int) image.Point {
	long := max(s.X, s.Y)
	if long <= longest {
		return s
	}
	shrink := func(n int) int { return max(1, int((int64(n)*int64(longest)+int64(long)/2)/int64(long))) }
	return image.Pt(shrink(s.X), shrink(s.Y))
}

// scaled returns src on white, not larger than it was. It halves it as often as it
// can, so that every pixel counts and fine print does not break up. A photo that comes
// out right by taking means alone stays as JPEG has it, without colours made of it.
func scaled(src image.Image, longest int) image.Image {
	want := fit(src.Bounds().Size(), longest)
	if photo, ok := src.(*image.YCbCr); ok {
		src = shrunk(photo, min(src.Bounds().Dx()/want.X, src.Bounds().Dy()/want.Y))
		if src.Bounds().Size() == want {
			return src
		}
	}
	for {
		next := src.Bounds().Size().Div(2)
		if next.X < want.X || next.Y < want.Y {
			next = want
		}
		dst := image.NewRGBA(image.Rectangle{Max: next})
		draw.Draw(dst, dst.Rect, image.White, image.Point{}, draw.Src)
		draw.ApproxBiLinear.Scale(dst, dst.Rect, src, src.Bounds(), draw.Over, nil)
		if next == want {
			return dst
		}
		src = dst
	}
}

// shrunk returns a photo n times smaller, each pixel the mean of n by n, without making
// colours of them first: that takes longer than all else but decoding.
func shrunk(src *image.YCbCr, n int) *image.YCbCr {
	size := src.Rect.Size()
	dst := image.NewYCbCr(image.Rect(0, 0, size.X/max(n, 1), size.Y/max(n, 1)), src.SubsampleRatio)
	if n < 2 || src.Rect.Min != (image.Point{}) || dst.CStride == 0 {
		return src
	}
	mean(dst.Y, src.Y, dst.YStride, src.YStride, size.X, size.Y, n)
	width, height := src.CStride, len(src.Cb)/src.CStride
	mean(dst.Cb, src.Cb, dst.CStride, src.CStride, width, height, n)
	mean(dst.Cr, src.Cr, dst.CStride, src.CStride, width, height, n)
	return dst
}

// mean fills a plane with the means of n by n samples of another, of the width and height
// given; at its edges, of as many as there are.
func mean(dst, src []byte, dstStride, srcStride, width, height, n int) {
	sums := make([]int, dstStride)
	for y := range len(dst) / dstStride {
		clear(sums)
		top, bottom := min(y*n, height-1), min(y*n+n, height)
		for row := top; row < bottom; row++ {
			line := src[row*srcStride : row*srcStride+width]
			whole := min(width/n, len(sums))
			for x := range whole {
				sum := 0
				for _, v := range line[x*n : x*n+n] {
					sum += int(v)
				}
				sums[x] += sum
			}
			for x := whole; x < len(sums); x++ {
				left, right := min(x*n, width-1), min(x*n+n, width)
				sum := 0
				for _, v := range line[left:right] {
					sum += int(v)
				}
				if right-left < n { // it counts as if it were whole
					sum = sum * n / (right - left)
				}
				sums[x] += sum
			}
		}
		count := (bottom - top) * n
		for x, sum := range sums {
			dst[y*dstStride+x] = byte(sum / count)
		}
	}
}

// upright turns a picture as its EXIF orientation asks.
func upright(src image.Image, orientation int) image.Image {
	if orientation < 2 {
		return src
	}
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	right, bottom := w-1, h-1
	if orientation >= 5 { // it lies on its side
		w, h = h, w
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			var from image.Point
			switch orientation {
			case 2:
				from = image.Pt(right-x, y)
			case 3:
				from = image.Pt(right-x, bottom-y)
			case 4:
				from = image.Pt(x, bottom-y)
			case 5:
				from = image.Pt(y, x)
			case 6:
				from = image.Pt(y, bottom-x)
			case 7:
				from = image.Pt(right-y, bottom-x)
			case 8:
				from = image.Pt(right-y, x)
			}
			dst.Set(x, y, src.At(from.X, from.Y))
		}
	}
	return dst
}
